import { BlockList, type BlockSlot } from "./block-list.ts";
import type { Content } from "./stored-data.ts";

/** A file whose content is being cut into blocks. */
export interface OpenFile {
	readonly content: Content;
	byteLength: number;
	hasHoles: boolean;
	holeBytes: number;
	/** Blocks of zeros, as pairs: number of the first, how many. */
	readonly zeroRuns: number[];
	/** Of the other blocks, in order. */
	readonly blockIds: number[];
	/** Blocks that are in the image already and may have to be copied. */
	waiting: { readonly id: number; readonly slot: BlockSlot }[];
	/** A block of it was not in the image: it is no duplicate. */
	isNew: boolean;
}

export function newFile(): OpenFile {
	return {
		content: { firstBlock: 0, blocks: new BlockList(), fragment: undefined },
		byteLength: 0,
		hasHoles: false,
		holeBytes: 0,
		zeroRuns: [],
		blockIds: [],
		waiting: [],
		isNew: false,
	};
}
