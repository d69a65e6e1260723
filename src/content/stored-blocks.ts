import type { TailSource } from "./file-recipe.ts";

/** A file that stored blocks lie in. */
export interface BlockFile {
	/** It is open for reading. */
	readonly descriptor: number;
	/** Takes it out of use, because of what is wrong with it; the error to throw. */
	damaged(what: string): Error;
	/** Takes it out of use for now, because it cannot be read (`EIO` and the like); the error to throw. */
	unreadable(reason: string): Error;
}

/** A block that was compressed earlier; its bytes are read when they are needed. */
export interface StoredBlock {
	readonly compressed: boolean;
	/** On disk. */
	readonly byteLength: number;
	/** The bytes, checked; valid until anything else is read. Throws where they are damaged. */
	read(): Uint8Array;
	/** Where they are, for those who read and check them elsewhere; undefined where they are in no file. */
	readonly place?: { readonly file: BlockFile; readonly offset: number; readonly checksum: Uint8Array } | undefined;
}

/**
 * Blocks that were compressed earlier with the same settings. What it has may still turn out to be damaged when it is read: then who reads
 * throws, and the image has to be written again from its start.
 */
export interface StoredBlocks {
	hasBlock(key: Uint8Array): boolean;
	/** `key` is the SHA-256 of the block's content, which has `rawBytes`. */
	block(key: Uint8Array, rawBytes: number): StoredBlock;
	hasFragment(key: Uint8Array): boolean;
	/** `key` stands for the tails that are in it (`FragmentPacker`). */
	fragment(key: Uint8Array, rawBytes: number): StoredBlock;
	/** A tail's content out of a fragment block, checked against its SHA-256. Valid until the next call. */
	tail(source: TailSource, byteLength: number, hash: Uint8Array): Uint8Array;
}
