import type { ByteString } from "../../binary/byte-string.ts";
import { ByteWriter } from "../../binary/byte-writer.ts";
import type { Steps } from "../../binary/turns.ts";
import type { BlockCompressor } from "../../codec/types.ts";
import { MAX_ENTRIES_PER_HEADER, METADATA_BLOCK_BYTES } from "./constants.ts";
import { MetadataBuffer, type MetadataPosition } from "./metadata-writer.ts";
import { DIRECTORY_ENTRY, DIRECTORY_HEADER, DIRECTORY_INDEX_ENTRY } from "./records.ts";

export interface ListingEntry {
	readonly name: ByteString;
	readonly inodeNumber: number;
	readonly inode: MetadataPosition;
	/** A basic `INODE_TYPE`. */
	readonly type: number;
}

/** Where a directory's listing is. */
export interface Listing {
	readonly position: MetadataPosition;
	readonly byteLength: number;
	/** Records of `DIRECTORY_INDEX_ENTRY` with their names, for a listing of several metadata blocks. */
	readonly index: Uint8Array;
	readonly indexCount: number;
}

const MAX_INDEX_COUNT = 0xffff;

/** The directory table (6): listings one after the other. */
export class DirectoryTableWriter {
	readonly #table: MetadataBuffer;

	constructor(compressor: Pick<BlockCompressor, "compressNow">) {
		this.#table = new MetadataBuffer(compressor);
	}

	/** `entries` are in byte order of their names; `namesBytes` is the length of all names together. An entry a step. */
	*writeListing(entries: Iterable<ListingEntry>, namesBytes: number, entryCount: number): Steps<Listing> {
		const table = this.#table.writer;
		const position = table.position;
		const start = table.contentBytes;
		const indexed = namesBytes + DIRECTORY_ENTRY.byteLength * entryCount > METADATA_BLOCK_BYTES;
		const index = new ByteWriter(64);
		let indexCount = 0;
		let indexedBlock = blockOf(start);

		let run = new ByteWriter(256);
		let first: ListingEntry | undefined;
		let count = 0;
		let runStart = start;
		for (const entry of entries) {
			const delta = first === undefined ? 0 : entry.inodeNumber - first.inodeNumber;
			const at = runStart + DIRECTORY_HEADER.byteLength + run.length;
			const fits =
				first !== undefined &&
				count < MAX_ENTRIES_PER_HEADER &&
				entry.inode.block === first.inode.block &&
				delta >= -0x8000 &&
				delta <= 0x7fff &&
				!(indexed && blockOf(at) > indexedBlock);
			if (!fits) {
				if (first !== undefined) this.#writeRun(first, count, run);
				first = entry;
				count = 0;
				run = new ByteWriter(256);
				runStart = table.contentBytes;
				const entersBlock = blockOf(runStart) > indexedBlock;
				indexedBlock = blockOf(runStart);
				if (indexed && entersBlock && indexCount < MAX_INDEX_COUNT) {
					const header = { listingPosition: runStart - start, directoryBlock: table.position.block };
					index
						.bytes(DIRECTORY_INDEX_ENTRY.encode({ ...header, lastNameByte: entry.name.length - 1 }))
						.latin1(entry.name);
					indexCount++;
				}
			}
			run
				.u16le(entry.inode.offset)
				.u16le((entry.inodeNumber - (first ?? entry).inodeNumber) & 0xffff)
				.u16le(entry.type)
				.u16le(entry.name.length - 1)
				.latin1(entry.name);
			count++;
			yield;
		}
		if (first !== undefined) this.#writeRun(first, count, run);
		return { position, byteLength: table.contentBytes - start, index: index.view(), indexCount };
	}

	/** The table in order. */
	finish(): readonly Uint8Array[] {
		return this.#table.finish();
	}

	#writeRun(first: ListingEntry, count: number, entries: ByteWriter): void {
		const header = { lastEntry: count - 1, inodeBlock: first.inode.block, inodeNumber: first.inodeNumber };
		this.#table.writer.record(DIRECTORY_HEADER, header);
		this.#table.writer.write(entries.view());
	}
}

function blockOf(contentPosition: number): number {
	return Math.floor(contentPosition / METADATA_BLOCK_BYTES);
}
