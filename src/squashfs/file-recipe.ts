export const HASH_BYTES = 32;

/** A file's content by hashes: enough to place it where its blocks can be had compressed. All hashes are SHA-256. */
export interface FileRecipe {
	readonly byteLength: number;
	/** It was given with holes, and `stat` shall count them. */
	readonly hasHoles: boolean;
	/** Blocks of zeros, as pairs: number of the first, how many. Ascending, apart from each other. */
	readonly zeroRuns: readonly number[];
	/** Of the content of every other block in order, 32 bytes each. */
	readonly blockHashes: Uint8Array;
	/** Of what is packed with others, `byteLength % blockBytes` bytes; undefined where blocks hold all of the file. */
	readonly tailHash: Uint8Array | undefined;
}

/** A tail in a fragment block that was stored earlier. */
export interface TailSource {
	/** The fragment block's key. */
	readonly fragment: Uint8Array;
	/** Of the tail in the block's content. */
	readonly offset: number;
}

/** Blocks, holes included, that a file of the recipe has. */
export function blockCountOf(byteLength: number, blockBytes: number, hasTail: boolean): number {
	return hasTail ? Math.floor(byteLength / blockBytes) : Math.ceil(byteLength / blockBytes);
}
