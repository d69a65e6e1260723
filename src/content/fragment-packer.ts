import { hash } from "node:crypto";
import { DIGEST_BYTES } from "../binary/digest-numbers.ts";
import { alignUp } from "../binary/units.ts";
import type { BlockCompressor, CompressedBlock } from "../codec/types.ts";
import { assert } from "../errors.ts";
import { BlockTable } from "./block-table.ts";
import type { TailSource } from "./file-recipe.ts";
import type { Placement } from "./placement.ts";
import type { StoredBlock, StoredBlocks } from "./stored-blocks.ts";
import type { BlockPlace, ImageBlock } from "./stored-data.ts";

/** Where a tail is: in which fragment block, and at which byte of its content. */
export interface FragmentPlace {
	readonly index: number;
	readonly offset: number;
}

/** The end of a file, or all of a small one: 1 to `blockBytes` bytes. */
export interface Tail {
	readonly byteLength: number;
	/** SHA-256 of its content. */
	readonly hash: Uint8Array;
	/** The bytes, which are copied, or where they can be had when they are needed. */
	readonly content: Uint8Array | TailSource;
}

/** A block may end here, so that what follows is packed the same way whatever came before: */
const MIN_FILL = 1 / 2;
/** One tail in 32. Costs 0.02 % of a squashfs of Debian. */
const BOUNDARY_MASK = 0x1f;
const RECIPE_ENTRY_BYTES = DIGEST_BYTES + 4;

/**
 * Puts tails side by side into blocks, and keeps the list of these. A block ends where the next tail does not fit, and also, when it is filled well,
 * behind a tail whose hash says so. So a tail that comes, goes or changes disturbs the blocks near it and none behind the next such place.
 */
export class FragmentPacker {
	readonly #compressor: BlockCompressor;
	readonly #blockBytes: number;
	readonly #alignment: number;
	readonly #earlier: StoredBlocks | undefined;
	/** Stores a block in order. */
	readonly #store: (block: CompressedBlock | StoredBlock) => BlockPlace;
	readonly #table = new BlockTable();
	#tails: {
		readonly tail: Pick<Tail, "hash" | "byteLength">;
		readonly offset: number;
		readonly source?: TailSource;
	}[] = [];
	#block: Buffer | undefined;
	#filled = 0;

	constructor(
		compressor: BlockCompressor,
		{ blockBytes, alignment }: Pick<Placement, "blockBytes" | "alignment">,
		earlier: StoredBlocks | undefined,
		store: (block: CompressedBlock | StoredBlock) => BlockPlace,
	) {
		this.#compressor = compressor;
		this.#blockBytes = blockBytes;
		this.#alignment = alignment;
		this.#earlier = earlier;
		this.#store = store;
	}

	/** Fragment blocks that were ended. */
	get count(): number {
		return this.#table.count;
	}

	add({ content, ...tail }: Tail): FragmentPlace {
		if (this.#filled + tail.byteLength > this.#blockBytes) this.flush();
		const offset = this.#filled;
		if (content instanceof Uint8Array) {
			this.#block ??= this.#compressor.acquire();
			this.#block.set(content, offset);
			this.#tails.push({ tail, offset });
		} else this.#tails.push({ tail, offset, source: content });
		const place = { index: this.#table.count, offset };
		this.#filled += tail.byteLength;
		if (this.#filled >= MIN_FILL * this.#blockBytes && ((tail.hash[0] ?? 0) & BOUNDARY_MASK) === 0) this.flush();
		return place;
	}

	/** Sends the block that is being filled, if there is one, to the compressor, or has it stored from an earlier build. */
	flush(): void {
		if (this.#filled === 0) return;
		const rawBytes = alignUp(this.#filled, this.#alignment);
		const key = this.#key(rawBytes - this.#filled);
		const earlier = this.#earlier?.hasFragment(key) === true ? this.#earlier : undefined;
		const index = this.#table.add(key, rawBytes);
		const done = (block: CompressedBlock | StoredBlock): void => {
			const { position, size } = this.#store(block);
			this.#table.setPlace(index, position, size, earlier !== undefined);
		};
		if (earlier === undefined) this.#compressor.submit(this.#gathered(rawBytes), rawBytes, done);
		else {
			if (this.#block !== undefined) this.#compressor.release(this.#block);
			this.#compressor.after(() => done(earlier.fragment(key, rawBytes)));
		}
		this.#block = undefined;
		this.#tails = [];
		this.#filled = 0;
	}

	/** Of a block that was ended; its position is known once the compressor has delivered it. */
	block(index: number): ImageBlock | undefined {
		return index < this.#table.count ? this.#table.block(index) : undefined;
	}

	/** `zeros` are behind the last tail. */
	#key(zeros: number): Buffer {
		const tailsBytes = RECIPE_ENTRY_BYTES * this.#tails.length;
		const recipe = Buffer.alloc(tailsBytes + (zeros > 0 ? 4 : 0));
		if (zeros > 0) recipe.writeUInt32LE(zeros, tailsBytes);
		for (const [i, { tail }] of this.#tails.entries()) {
			recipe.set(tail.hash, RECIPE_ENTRY_BYTES * i);
			recipe.writeUInt32LE(tail.byteLength, RECIPE_ENTRY_BYTES * i + DIGEST_BYTES);
		}
		return hash("sha256", recipe, "buffer");
	}

	/** The block with every tail in it, and zeros up to `byteLength`. */
	#gathered(byteLength: number): Buffer {
		const block = this.#block ?? this.#compressor.acquire();
		for (const { tail, offset, source } of this.#tails) {
			if (source === undefined) continue;
			assert(this.#earlier !== undefined, "a tail by reference comes out of a store");
			block.set(this.#earlier.tail(source, tail.byteLength, tail.hash), offset);
		}
		return block.fill(0, this.#filled, byteLength);
	}
}
