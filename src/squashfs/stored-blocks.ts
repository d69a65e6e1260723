import type { CompressedBlock } from "../codec/types.ts";
import type { TailSource } from "./file-recipe.ts";

/**
 * Blocks that were compressed earlier with the same settings. What it has may still turn out to be damaged when it is read: then the methods that read
 * throw, and the image has to be written again from its start.
 */
export interface StoredBlocks {
	hasBlock(key: Uint8Array): boolean;
	/** `key` is the SHA-256 of the block's content, which has `rawBytes`. The bytes are valid until the next call. */
	block(key: Uint8Array, rawBytes: number): CompressedBlock;
	hasFragment(key: Uint8Array): boolean;
	/** `key` stands for the tails that are in it (`FragmentPacker`). */
	fragment(key: Uint8Array, rawBytes: number): CompressedBlock;
	/** A tail's content out of a fragment block, checked against its SHA-256. Valid until the next call. */
	tail(source: TailSource, byteLength: number, hash: Uint8Array): Uint8Array;
}
