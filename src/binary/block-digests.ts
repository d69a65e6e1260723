import { DIGEST_BYTES } from "./digest-numbers.ts";

/** As native/block_digester.h says. */
export const BLOCK_DIGEST_ENTRY_BYTES = 48;
const LENGTH_AT = 8;
const DIGEST_AT = 16;

/**
 * Digests of blocks of a stream, made where it comes from: loaded piece by piece, taken in the stream's order. A block is known by where it is in the
 * stream, so that whoever knows that of his bytes may take its digest for theirs.
 */
export class BlockDigests {
	/** From 4 KiB to 1 MiB. */
	readonly blockBytes: number;
	#table: Buffer = Buffer.alloc(0);
	#view = new DataView(this.#table.buffer, 0, 0);
	#at = 0;
	#end = 0;

	constructor(blockBytes: number) {
		this.blockBytes = blockBytes;
	}

	/** The next piece's: `count` entries of `table`, which are valid until the next call. */
	load(table: Buffer, count: number): void {
		if (this.#table !== table) this.#view = new DataView(table.buffer, table.byteOffset, table.byteLength);
		this.#table = table;
		this.#at = 0;
		this.#end = count * BLOCK_DIGEST_ENTRY_BYTES;
	}

	/** The SHA-256 of the `byteLength` bytes at `offset` of the stream, 32 bytes for the caller to keep; undefined where nobody made it. Offsets never go back. */
	take(offset: number, byteLength: number): Uint8Array | undefined {
		const view = this.#view;
		for (; this.#at < this.#end; this.#at += BLOCK_DIGEST_ENTRY_BYTES) {
			const start = view.getFloat64(this.#at, true);
			if (start < offset) continue;
			if (start !== offset || view.getUint32(this.#at + LENGTH_AT, true) !== byteLength) return undefined;
			const from = this.#at + DIGEST_AT;
			this.#at += BLOCK_DIGEST_ENTRY_BYTES;
			const digest = Buffer.allocUnsafe(DIGEST_BYTES);
			this.#table.copy(digest, 0, from, from + DIGEST_BYTES);
			return digest;
		}
		return undefined;
	}
}
