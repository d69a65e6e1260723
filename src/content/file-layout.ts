import type { BlockSizes } from "./block-list.ts";

/** Where a regular file's content is in the image: all that is needed to read it. */
export interface FileLayout {
	readonly byteLength: number;
	/** Content of a full data block. */
	readonly blockBytes: number;
	/** Absolute position of the first data block that is no hole. The others follow it without gaps but padding. */
	readonly firstBlock: number;
	readonly blocks: BlockSizes;
	/** Holds the content after the last block; undefined when blocks hold all of it. */
	readonly tail: FragmentTail | undefined;
}

export interface FragmentTail {
	/** Absolute position of the fragment block. */
	readonly position: number;
	/** As in `block-size.ts`. */
	readonly size: number;
	/** Of the tail, in the block's content. */
	readonly offset: number;
}
