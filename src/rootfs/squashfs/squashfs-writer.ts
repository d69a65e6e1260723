import { atOnce, type Steps } from "../../binary/turns.ts";
import { alignUp } from "../../binary/units.ts";
import { DataWriter } from "../../content/data-writer.ts";
import { DEFAULT_FRAGMENT_RULE, type FragmentRule } from "../../content/fragment-rule.ts";
import { type Placement, UNALIGNED } from "../../content/placement.ts";
import type { BlockPlace, StoredFile } from "../../content/stored-data.ts";
import { assert } from "../../errors.ts";
import type { DirectoryInode, FileInode } from "../../tree/inode.ts";
import { numberInodes } from "../inode-numbers.ts";
import { MAX_TOTAL_BLOCKS } from "../limits.ts";
import type { Loss, XattrLoss } from "../losses.ts";
import { HEAD_BYTES, type RootSummary, type RootWriter, type RootWriterOptions } from "../root-file-system.ts";
import { COMPRESSOR_ID, optionsBlock } from "./compressors.ts";
import {
	FLAG,
	IMAGE_ALIGNMENT_BYTES,
	METADATA_STORED_RAW,
	NONE_64,
	SQUASHFS_MAGIC,
	SUPERBLOCK_BYTES,
} from "./constants.ts";
import { writeLookupTable } from "./lookup-table-writer.ts";
import { FRAGMENT_ENTRY } from "./records.ts";
import { describeLosses } from "./reports.ts";
import { SUPERBLOCK } from "./superblock.ts";
import type { InodeCounts } from "./tree-writer.ts";
import { TreeWriter } from "./tree-writer.ts";

/** Position 0 of the sink is the superblock's place, which is written last. */
export type SquashfsWriterOptions = RootWriterOptions;

/** What was written; all but counts in bytes. */
export interface SquashfsSummary extends InodeCounts, RootSummary {
	readonly xattrSets: number;
	readonly inodeTableBytes: number;
	readonly directoryTableBytes: number;
	/** Length of the file system as its superblock says. */
	readonly bytesUsed: number;
	/** Extended attributes without a place in squashfs, by name. */
	readonly unstorableXattrs: readonly XattrLoss[];
	/** Modification times outside 1970 to 2106. */
	readonly clampedTimes: Loss;
	/** Modification times between two seconds. */
	readonly truncatedTimes: Loss;
}

/** Writes a squashfs 4.0, or several with the same contents: these first, through `data`, then a tree for each. */
export class SquashfsWriter implements RootWriter {
	readonly data: DataWriter;
	readonly #options: SquashfsWriterOptions;
	readonly #fragmentRule: FragmentRule;
	readonly #compressorOptions: Uint8Array | undefined;
	readonly #imageCount: number;
	#imagesBegun = 0;
	/** Of what is written. */
	#end: number | undefined;

	constructor(options: SquashfsWriterOptions) {
		const { blockBytes, compressor, sink, fragmentRule = DEFAULT_FRAGMENT_RULE } = options;
		this.#options = options;
		this.#fragmentRule = fragmentRule;
		this.#compressorOptions = optionsBlock(compressor, blockBytes);
		this.#imageCount = 1 + (options.furtherImages ?? 0);
		const optionsBytes = encodeOptionsBlock(this.#compressorOptions);
		for (let image = 0; image < this.#imageCount && optionsBytes.byteLength > 0; image++)
			sink.write(image * HEAD_BYTES + SUPERBLOCK_BYTES, optionsBytes);
		const placement: Placement = {
			...UNALIGNED,
			blockBytes,
			start: (this.#imageCount - 1) * HEAD_BYTES + SUPERBLOCK_BYTES + optionsBytes.byteLength,
			fragmentRule,
			maxBlocks: MAX_TOTAL_BLOCKS,
		};
		this.data = new DataWriter(placement, options);
	}

	/**
	 * Writes all tables and the superblock of the next image. `storedFileOf` is asked once per regular file.
	 * Only after `data.finish`. Throws `Oci2isoError` INVALID_NAME, INVALID_LINK_TARGET, DEVICE_NUMBER_TOO_LARGE, TOO_MANY_IDS or SQUASHFS_TOO_LARGE.
	 */
	finish(root: DirectoryInode, storedFileOf: (file: FileInode) => StoredFile): SquashfsSummary {
		return atOnce(this.finishing(root, storedFileOf));
	}

	/** `finish`, in steps. */
	*finishing(root: DirectoryInode, storedFileOf: (file: FileInode) => StoredFile): Steps<SquashfsSummary> {
		const { sink, compressor, blockBytes } = this.#options;
		assert(this.#imagesBegun < this.#imageCount, "an image has no place");
		const start = this.#imagesBegun++ * HEAD_BYTES;
		// Positions count from the image's beginning.
		const out = {
			position: (this.#end ?? this.data.end) - start,
			write(bytes: Uint8Array) {
				sink.write(start + this.position, bytes);
				this.position += bytes.byteLength;
			},
		};
		const fragments = [...this.data.fragments()].map(({ position, size }) => ({ position: position - start, size }));
		const numbering = yield* numberInodes(root);
		const tree = new TreeWriter({ root, numbering, compressor, storedFileOf, start, out });
		const inodeTable = out.position;
		const { rootInode, directoryTable: directoryParts, inodes, ...counts } = yield* tree.write();
		const directoryTable = out.position;
		for (const part of directoryParts) out.write(part);
		const afterDirectories = out.position;
		const fragmentTable = yield* writeLookupTable(out, compressor, encodeFragments(fragments));
		const exportable = this.#options.exportable ?? true;
		const exportTable = exportable ? yield* writeLookupTable(out, compressor, tree.encodeExportTable()) : undefined;
		const idTable = yield* writeLookupTable(out, compressor, tree.ids.encode());
		const xattrTable = yield* tree.xattrs.write(out);
		const bytesUsed = out.position;
		out.write(Buffer.alloc(alignUp(bytesUsed, IMAGE_ALIGNMENT_BYTES) - bytesUsed));

		const superblock = SUPERBLOCK.encode({
			magic: SQUASHFS_MAGIC,
			inodeCount: inodes,
			modificationTimeSeconds: this.#options.modificationTimeSeconds,
			blockBytes,
			fragmentCount: fragments.length,
			compressor: COMPRESSOR_ID[compressor.codec],
			blockLog2: Math.log2(blockBytes),
			flags: this.#flags(),
			idCount: tree.ids.count,
			versionMajor: 4,
			versionMinor: 0,
			rootInode,
			bytesUsed,
			idTable: BigInt(idTable),
			xattrTable: xattrTable === undefined ? NONE_64 : BigInt(xattrTable),
			inodeTable: BigInt(inodeTable),
			directoryTable: BigInt(directoryTable),
			fragmentTable: BigInt(fragmentTable),
			exportTable: exportTable === undefined ? NONE_64 : BigInt(exportTable),
		});
		sink.write(start, superblock);
		this.#end = start + out.position;
		return {
			...counts,
			losses: describeLosses(counts),
			inodes,
			ids: tree.ids.count,
			xattrSets: tree.xattrs.setCount,
			fragments: fragments.length,
			data: this.data.statistics,
			inodeTableBytes: directoryTable - inodeTable,
			directoryTableBytes: afterDirectories - directoryTable,
			bytesUsed,
			start,
			byteLength: out.position,
		};
	}

	#flags(): number {
		const stored =
			FLAG.uncompressedInodes |
			FLAG.uncompressedData |
			FLAG.uncompressedFragments |
			FLAG.uncompressedXattrs |
			FLAG.uncompressedIds;
		return (
			FLAG.duplicatesRemoved |
			(this.#options.compressor.codec === "none" ? stored : 0) |
			(this.#fragmentRule === "none" ? FLAG.noFragments : 0) |
			(this.#fragmentRule === "all-tails" ? FLAG.alwaysFragments : 0) |
			((this.#options.exportable ?? true) ? FLAG.exportable : 0) |
			(this.#compressorOptions === undefined ? 0 : FLAG.compressorOptions)
		);
	}
}

/** The fragment table's records (7). */
function encodeFragments(fragments: readonly BlockPlace[]): Buffer {
	const bytes = Buffer.alloc(FRAGMENT_ENTRY.byteLength * fragments.length);
	for (const [i, place] of fragments.entries()) bytes.set(FRAGMENT_ENTRY.encode(place), FRAGMENT_ENTRY.byteLength * i);
	return bytes;
}

/** The compressor options are one metadata block that is never compressed (3.1). */
function encodeOptionsBlock(options: Uint8Array | undefined): Buffer {
	if (options === undefined) return Buffer.alloc(0);
	const block = Buffer.alloc(2 + options.byteLength);
	block.writeUInt16LE(options.byteLength | METADATA_STORED_RAW);
	block.set(options, 2);
	return block;
}
