import type { BlockSizes } from "./block-list.ts";

/** Where a regular file's content is in the image: all that is needed to read it. */
export interface FileLayout {
	readonly byteLength: number;
	/** Content of a full data block. */
	readonly blockBytes: number;
	/** Absolute position of the first data block. The others follow it without gaps. */
	readonly firstBlock: number;
	readonly blocks: BlockSizes;
	/** Holds the content after the last block; undefined when blocks hold all of it. */
	readonly tail: FragmentTail | undefined;
}

export interface FragmentTail {
	/** Absolute position of the fragment block. */
	readonly position: number;
	/** Its length on disk; bit 24 means that it is stored as it is. */
	readonly size: number;
	/** Of the tail, in the block's content. */
	readonly offset: number;
}
