import { DigestNumbers } from "../binary/digest-numbers.ts";
import type { ImageBlock } from "./stored-data.ts";

const MIN_CAPACITY = 1024;
const REUSED = 2 ** 31;

/** Blocks of the image by a SHA-256 that names their content, and where they were stored; some 60 bytes each. A block's id is its number in the order of `add`. */
export class BlockTable {
	readonly #hashes = new DigestNumbers();
	#positions = new Float64Array(MIN_CAPACITY);
	#sizes = new Uint32Array(MIN_CAPACITY);
	#rawBytes = new Uint32Array(MIN_CAPACITY);

	get count(): number {
		return this.#hashes.count;
	}

	/** The block's id, or -1. */
	find(hash: Uint8Array): number {
		return this.#hashes.find(hash);
	}

	/** Where `hash` is in the table already, `find` gives the new block from now on. */
	add(hash: Uint8Array, rawBytes: number): number {
		const id = this.#hashes.add(hash);
		if (id === this.#positions.length) this.#grow();
		this.#rawBytes[id] = rawBytes;
		return id;
	}

	/** A view, valid until the next `add`. */
	hash(id: number): Buffer {
		return this.#hashes.key(id);
	}

	/** `size` is as in `block-size.ts`; `reused`: it was compressed in an earlier build. */
	setPlace(id: number, position: number, size: number, reused: boolean): void {
		this.#positions[id] = position;
		this.#sizes[id] = reused ? size + REUSED : size;
	}

	/** 0 until it is stored. */
	position(id: number): number {
		return this.#positions[id] ?? 0;
	}

	size(id: number): number {
		return (this.#sizes[id] ?? 0) % REUSED;
	}

	isReused(id: number): boolean {
		return (this.#sizes[id] ?? 0) >= REUSED;
	}

	rawBytes(id: number): number {
		return this.#rawBytes[id] ?? 0;
	}

	/** All of it; the key is a view as `hash` gives it, position and size are 0 until the block is stored. */
	block(id: number): ImageBlock {
		return {
			position: this.position(id),
			size: this.size(id),
			key: this.hash(id),
			rawBytes: this.rawBytes(id),
			reused: this.isReused(id),
		};
	}

	#grow(): void {
		const capacity = 2 * this.#positions.length;
		this.#positions = copied(this.#positions, new Float64Array(capacity));
		this.#sizes = copied(this.#sizes, new Uint32Array(capacity));
		this.#rawBytes = copied(this.#rawBytes, new Uint32Array(capacity));
	}
}

function copied<Values extends Float64Array | Uint32Array>(from: Values, to: Values): Values {
	to.set(from);
	return to;
}
