import { storedBytes } from "./block-size.ts";

/** The sizes of a file's data blocks, in order, as `block-size.ts` has them. */
export interface BlockSizes {
	readonly count: number;
	chunks(): Iterable<Uint32Array> | AsyncIterable<Uint32Array>;
}

/** A place in a `BlockList` whose size becomes known later. */
export interface BlockSlot {
	readonly sizes: Uint32Array;
	readonly at: number;
}

interface Segment {
	/** Undefined: `length` holes. */
	readonly sizes: Uint32Array | undefined;
	length: number;
}

const MAX_SEGMENT_BLOCKS = 65_536;
const HOLES = new Uint32Array(2048);

/** Block sizes of a file that is being written: four bytes per block, nothing per block of a hole. */
export class BlockList implements BlockSizes {
	readonly #segments: Segment[] = [];
	#count = 0;

	get count(): number {
		return this.#count;
	}

	/** Of all of them, on disk. */
	get storedBytes(): number {
		let sum = 0;
		for (const { sizes, length } of this.#segments)
			if (sizes !== undefined) for (let at = 0; at < length; at++) sum += storedBytes(sizes[at] ?? 0);
		return sum;
	}

	addHoles(blocks: number): void {
		if (blocks === 0) return;
		const last = this.#segments.at(-1);
		if (last !== undefined && last.sizes === undefined) last.length += blocks;
		else this.#segments.push({ sizes: undefined, length: blocks });
		this.#count += blocks;
	}

	addBlock(): BlockSlot {
		let last = this.#segments.at(-1);
		if (last?.sizes === undefined || last.length === last.sizes.length) {
			const capacity = Math.min(MAX_SEGMENT_BLOCKS, 2 * (last?.sizes?.length ?? 0) || 1);
			last = { sizes: new Uint32Array(capacity), length: 0 };
			this.#segments.push(last);
		}
		this.#count++;
		return { sizes: last.sizes as Uint32Array, at: last.length++ };
	}

	*chunks(): Generator<Uint32Array> {
		for (const { sizes, length } of this.#segments) {
			if (sizes !== undefined) yield sizes.subarray(0, length);
			else for (let rest = length; rest > 0; rest -= HOLES.length) yield HOLES.subarray(0, rest);
		}
	}
}
