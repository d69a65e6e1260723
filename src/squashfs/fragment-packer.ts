import type { BlockCompressor, CompressedBlock } from "../codec/types.ts";
import { FRAGMENT_ENTRY } from "./records.ts";

/** Where a tail is: in which fragment block, and at which byte of its content. */
export interface FragmentPlace {
	readonly index: number;
	readonly offset: number;
}

/** Puts tails side by side into blocks, and keeps the fragment table (7). */
export class FragmentPacker {
	readonly #compressor: BlockCompressor;
	readonly #blockBytes: number;
	/** Stores a compressed block in order; returns its position and its size with the "stored raw" bit. */
	readonly #store: (block: CompressedBlock) => { position: number; size: number };
	readonly #entries: { position: number; size: number }[] = [];
	#block: Buffer | undefined;
	#filled = 0;

	constructor(
		compressor: BlockCompressor,
		blockBytes: number,
		store: (block: CompressedBlock) => { position: number; size: number },
	) {
		this.#compressor = compressor;
		this.#blockBytes = blockBytes;
		this.#store = store;
	}

	get count(): number {
		return this.#entries.length;
	}

	/** `tail` is 1 to `blockBytes` bytes, and copied. */
	add(tail: Uint8Array): FragmentPlace {
		if (this.#filled + tail.byteLength > this.#blockBytes) this.flush();
		if (this.#block === undefined) {
			this.#block = this.#compressor.acquire();
			this.#entries.push({ position: 0, size: 0 });
		}
		this.#block.set(tail, this.#filled);
		const place = { index: this.#entries.length - 1, offset: this.#filled };
		this.#filled += tail.byteLength;
		return place;
	}

	/** Sends the block that is being filled, if there is one, to the compressor. */
	flush(): void {
		if (this.#block === undefined) return;
		const index = this.#entries.length - 1;
		this.#compressor.submit(this.#block, this.#filled, (block) => {
			this.#entries[index] = this.#store(block);
		});
		this.#block = undefined;
		this.#filled = 0;
	}

	/** Known once the compressor has delivered the block. */
	entry(index: number): { readonly position: number; readonly size: number } | undefined {
		return this.#entries[index];
	}

	/** The fragment table's records. */
	encode(): Buffer {
		const bytes = Buffer.alloc(FRAGMENT_ENTRY.byteLength * this.#entries.length);
		for (const [i, entry] of this.#entries.entries())
			bytes.set(FRAGMENT_ENTRY.encode(entry), FRAGMENT_ENTRY.byteLength * i);
		return bytes;
	}
}
