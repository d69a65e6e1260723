import { BlockList } from "./block-list.ts";
import type { FragmentPlace } from "./fragment-packer.ts";

/** The outcome of one `endFile`. Its place in the image is known after `DataWriter.finish`. */
export interface StoredFile {
	readonly byteLength: number;
	/** What the file's holes save; 0 where it was given without holes. */
	readonly sparseBytes: number;
	/** @internal */
	readonly content: Content;
}

/** A content that is stored once, however many files have it; and itself a file that was given without holes: there may be millions. */
export class Content implements StoredFile {
	byteLength = 0;
	readonly sparseBytes = 0;
	/** Absolute position; 0 until the first block is stored. */
	firstBlock = 0;
	blocks = new BlockList();
	fragment: FragmentPlace | undefined = undefined;

	get content(): this {
		return this;
	}
}

/** What went into the data blocks; all but counts in bytes. */
export interface DataStatistics {
	readonly files: number;
	/** Of all files, holes included. */
	readonly inputBytes: number;
	/** On disk, with padding and without metadata. */
	readonly storedBytes: number;
	/** Data blocks stored, without fragment blocks and holes. */
	readonly blocks: number;
	readonly fragmentBlocks: number;
	/** Data and fragment blocks that compression would not have shrunk. */
	readonly rawBlocks: number;
	/** Not stored because the whole block is zeros. */
	readonly sparseBytes: number;
	readonly duplicateFiles: number;
	readonly duplicateBytes: number;
}

/** Where the image goes. */
export interface DataSink {
	/** The bytes are taken before it returns. */
	write(position: number, bytes: Uint8Array): void;
	/** Bytes that were written; valid until the next call. */
	readNow(position: number, length: number): Uint8Array;
}

/** Where a block is in the image. */
export interface BlockPlace {
	readonly position: number;
	/** On disk, without padding, as in `block-size.ts`. */
	readonly size: number;
}

/** A block of the image. */
export interface ImageBlock extends BlockPlace {
	/**
	 * Of a data block the SHA-256 of its content; of a fragment block that of hash and length of each tail in it and the number of zeros behind them,
	 * which names the content without its bytes.
	 */
	readonly key: Uint8Array;
	readonly rawBytes: number;
	/** It was compressed in an earlier build. */
	readonly reused: boolean;
}

/** A block of the image, for those who keep it. */
export interface PlacedBlock extends ImageBlock {
	readonly kind: "block" | "fragment";
}

/** A moment between two files: how many blocks were begun before it. */
export interface DataMark {
	readonly blocks: number;
	readonly fragments: number;
}
