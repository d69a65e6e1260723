import type { BlockDigests } from "../binary/block-digests.ts";
import type { BlockSlot } from "./block-list.ts";
import { Content } from "./stored-data.ts";

/** Where in a stream a file's bytes are, and digests of that stream's blocks. */
export interface Provenance {
	readonly digests: BlockDigests;
	/** Of the file's first byte; the others follow it, as long as the file has no holes. */
	readonly offset: number;
}

/** A file whose content is being cut into blocks. */
export interface OpenFile {
	readonly from: Provenance | undefined;
	readonly content: Content;
	byteLength: number;
	/** Of them, what is cut into blocks. */
	cutBytes: number;
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

export function newFile(from?: Provenance): OpenFile {
	return {
		from,
		content: new Content(),
		byteLength: 0,
		cutBytes: 0,
		hasHoles: false,
		holeBytes: 0,
		zeroRuns: [],
		blockIds: [],
		waiting: [],
		isNew: false,
	};
}
