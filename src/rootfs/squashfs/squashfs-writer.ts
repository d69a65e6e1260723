import { atOnce, type Steps } from "../../binary/turns.ts";
import { alignUp, MiB } from "../../binary/units.ts";
import type { BlockCompressor } from "../../codec/types.ts";
import type { BlockCopier } from "../../content/block-copier.ts";
import { type ContentHasher, PORTABLE_HASHER } from "../../content/content-hasher.ts";
import { DataWriter } from "../../content/data-writer.ts";
import type { FileLayout } from "../../content/file-layout.ts";
import type { FileRecipe, TailSource } from "../../content/file-recipe.ts";
import type { FragmentPlace } from "../../content/fragment-packer.ts";
import type { StoredBlocks } from "../../content/stored-blocks.ts";
import type { DataMark, DataSink, DataStatistics, PlacedBlock, StoredFile } from "../../content/stored-data.ts";
import { assert, Oci2isoError } from "../../errors.ts";
import type { DirectoryInode, FileInode } from "../../tree/inode.ts";
import {
	FLAG,
	IMAGE_ALIGNMENT_BYTES,
	MAX_BLOCK_BYTES,
	METADATA_STORED_RAW,
	MIN_BLOCK_BYTES,
	NONE_64,
	SQUASHFS_MAGIC,
	SUPERBLOCK_BYTES,
} from "./constants.ts";
import { numberInodes } from "./inode-numbers.ts";
import { writeLookupTable } from "./lookup-table-writer.ts";
import type { Loss, XattrLoss } from "./reports.ts";
import { SUPERBLOCK } from "./superblock.ts";
import type { InodeCounts } from "./tree-writer.ts";
import { TreeWriter } from "./tree-writer.ts";

export type { DataMark, DataSink, DataStatistics, PlacedBlock, StoredFile } from "../../content/stored-data.ts";

export interface SquashfsWriterOptions {
	/** Position 0 is the superblock's place, which is written last. */
	readonly sink: DataSink;
	readonly compressor: BlockCompressor;
	/** 4 KiB to 1 MiB, a power of two. */
	readonly blockBytes: number;
	/** Of the file system: 0 to 2^32 - 1. */
	readonly modificationTimeSeconds: number;
	/** Write the table that NFS needs. Default true. */
	readonly exportable?: boolean | undefined;
	/** Pack files below one block together. Default true. */
	readonly fragments?: boolean | undefined;
	/** Pack the last, short block of larger files too. Default false. */
	readonly alwaysUseFragments?: boolean | undefined;
	/** What `settle` waits for. Default: blocks of 16 MiB in all, at least 8. */
	readonly maxPendingBlocks?: number | undefined;
	/** Blocks that need not be compressed again. They change no byte of the image. */
	readonly earlier?: StoredBlocks | undefined;
	/** Who copies blocks that exist already; `finish` does not wait for it. Default: they are copied at once. */
	readonly copier?: BlockCopier | undefined;
	/** Default: node's SHA-256. */
	readonly hasher?: ContentHasher | undefined;
}

/** Told of what a file was made of, and where its tail is if it has one. */
export type DescribeFile = (recipe: FileRecipe, tail: FragmentPlace | undefined) => void;

/** What was written; all but counts in bytes. */
export interface SquashfsSummary extends InodeCounts {
	readonly ids: number;
	readonly xattrSets: number;
	readonly fragments: number;
	readonly data: DataStatistics;
	readonly inodeTableBytes: number;
	readonly directoryTableBytes: number;
	/** Length of the file system as its superblock says. */
	readonly bytesUsed: number;
	/** With the padding to a multiple of 4096 that has been written. */
	readonly byteLength: number;
	/** Extended attributes without a place in squashfs, by name. */
	readonly unstorableXattrs: readonly XattrLoss[];
	/** Modification times outside 1970 to 2106. */
	readonly clampedTimes: Loss;
	/** Modification times between two seconds. */
	readonly truncatedTimes: Loss;
}

/**
 * Writes a squashfs 4.0: file contents first, one after the other, then the tree.
 *
 * Contents are appended synchronously; await `settle` after each chunk of input and `finishData` after the last file.
 * The bytes depend on the contents, their order, the tree and the options, never on timing or threads.
 */
export class SquashfsWriter {
	readonly #options: SquashfsWriterOptions;
	readonly #data: DataWriter;
	readonly #maxPendingBlocks: number;
	#dataFinished = false;

	constructor(options: SquashfsWriterOptions) {
		const { blockBytes, compressor, sink } = options;
		checkBlockBytes(blockBytes);
		this.#options = options;
		this.#maxPendingBlocks = options.maxPendingBlocks ?? Math.max(8, (16 * MiB) / blockBytes);
		const optionsBlock = encodeOptionsBlock(compressor.optionsBlock);
		if (optionsBlock.byteLength > 0) sink.write(SUPERBLOCK_BYTES, optionsBlock);
		this.#data = new DataWriter({
			sink,
			compressor,
			blockBytes,
			fragments: this.#fragmentPolicy(),
			position: SUPERBLOCK_BYTES + optionsBlock.byteLength,
			earlier: options.earlier,
			copier: options.copier,
			hasher: options.hasher ?? PORTABLE_HASHER,
		});
	}

	/** Opens the next file; one is open at a time. */
	beginFile(): void {
		this.#data.beginFile();
	}

	/** Bytes of the open file; copied before it returns. */
	append(chunk: Uint8Array): void {
		this.#data.append(chunk);
	}

	/** `byteLength` zeros of the open file, which cost nothing where they cover whole blocks. Throws `Oci2isoError` TOO_MANY_BLOCKS. */
	appendHole(byteLength: number): void {
		this.#data.appendHole(byteLength);
	}

	endFile(describe?: DescribeFile): StoredFile {
		return this.#data.endFile(describe);
	}

	/** A whole file by reference, when none is open: every block is in the image or in `earlier`, and so is the fragment block of `tail`. */
	appendRecipe(recipe: FileRecipe, tail: TailSource | undefined, describe?: DescribeFile): StoredFile {
		return this.#data.appendRecipe(recipe, tail, describe);
	}

	/** Whether a file of this recipe is in the image. */
	hasContent(recipe: FileRecipe): boolean {
		return this.#data.hasContent(recipe);
	}

	/** Whether a data block with this SHA-256 is in the image. */
	hasBlock(key: Uint8Array): boolean {
		return this.#data.hasBlock(key);
	}

	/** Says that what follows is of another layer: its tails are packed apart. Returns the moment, for `placedBlocks`. */
	endLayer(): DataMark {
		this.#data.endFragment();
		return this.#data.mark();
	}

	/** The key of a fragment block that an `endLayer` has ended. */
	fragmentKey(index: number): Uint8Array {
		const block = this.#data.fragments.block(index);
		assert(block !== undefined, "the fragment block was ended");
		return block.key;
	}

	/** Where a file's tail is, if it has one. */
	tailPlace(file: StoredFile): FragmentPlace | undefined {
		return file.content.fragment;
	}

	/** What was stored between two moments, by default until now, in the image's order; position 0 where it is not stored yet. A block a step. */
	placedBlocks(from: DataMark, to: DataMark = this.#data.mark()): Steps<PlacedBlock[]> {
		return this.#data.placedBlocks(from, to);
	}

	/** Resolves once no more blocks than the bound are in flight; rejects with the first failure of the codec or the sink. */
	settle(): Promise<void> {
		return this.#options.compressor.settle(this.#maxPendingBlocks);
	}

	/** Sends what is left to the compressor and waits until everything has its place; a `copier` may not have copied all of it yet. */
	async finishData(): Promise<void> {
		await this.#data.finish();
		this.#dataFinished = true;
	}

	/** Where the data blocks end, in bytes from the superblock on. Only after `finishData`. */
	get dataEnd(): number {
		assert(this.#dataFinished, "the end of the data is known after finishData");
		return this.#data.position;
	}

	/** How to read a stored file back, from the sink's bytes. Only after `finishData`. */
	storedFileLayout(file: StoredFile): FileLayout {
		assert(this.#dataFinished, "layouts are known after finishData");
		return this.#data.layoutOf(file);
	}

	/**
	 * Writes all tables and the superblock. `storedFileOf` is asked once per regular file.
	 * Throws `Oci2isoError` INVALID_NAME, INVALID_LINK_TARGET, DEVICE_NUMBER_TOO_LARGE, TOO_MANY_IDS or SQUASHFS_TOO_LARGE.
	 */
	finish(root: DirectoryInode, storedFileOf: (file: FileInode) => StoredFile): SquashfsSummary {
		return atOnce(this.finishing(root, storedFileOf));
	}

	/** `finish`, in steps. */
	*finishing(root: DirectoryInode, storedFileOf: (file: FileInode) => StoredFile): Steps<SquashfsSummary> {
		assert(this.#dataFinished, "the tree follows the data");
		const { sink, compressor, blockBytes } = this.#options;
		const out = {
			position: this.#data.position,
			write(bytes: Uint8Array) {
				sink.write(this.position, bytes);
				this.position += bytes.byteLength;
			},
		};
		const numbering = yield* numberInodes(root);
		const tree = new TreeWriter({ root, numbering, compressor, storedFileOf, out });
		const inodeTable = out.position;
		const { rootInode, directoryTable: directoryParts, inodes, ...counts } = yield* tree.write();
		const directoryTable = out.position;
		for (const part of directoryParts) out.write(part);
		const afterDirectories = out.position;
		const fragmentTable = yield* writeLookupTable(out, compressor, this.#data.fragments.encode());
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
			fragmentCount: this.#data.fragments.count,
			compressor: compressor.squashfsId,
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
		sink.write(0, superblock);
		return {
			...counts,
			inodes,
			ids: tree.ids.count,
			xattrSets: tree.xattrs.setCount,
			fragments: this.#data.fragments.count,
			data: this.#data.statistics,
			inodeTableBytes: directoryTable - inodeTable,
			directoryTableBytes: afterDirectories - directoryTable,
			bytesUsed,
			byteLength: out.position,
		};
	}

	#fragmentPolicy(): "none" | "small-files" | "all-tails" {
		if (this.#options.fragments === false) return "none";
		return this.#options.alwaysUseFragments === true ? "all-tails" : "small-files";
	}

	#flags(): number {
		const policy = this.#fragmentPolicy();
		const stored =
			FLAG.uncompressedInodes |
			FLAG.uncompressedData |
			FLAG.uncompressedFragments |
			FLAG.uncompressedXattrs |
			FLAG.uncompressedIds;
		return (
			FLAG.duplicatesRemoved |
			(this.#options.compressor.codec === "none" ? stored : 0) |
			(policy === "none" ? FLAG.noFragments : 0) |
			(policy === "all-tails" ? FLAG.alwaysFragments : 0) |
			((this.#options.exportable ?? true) ? FLAG.exportable : 0) |
			(this.#options.compressor.optionsBlock === undefined ? 0 : FLAG.compressorOptions)
		);
	}
}

function checkBlockBytes(blockBytes: number): void {
	const valid =
		blockBytes >= MIN_BLOCK_BYTES && blockBytes <= MAX_BLOCK_BYTES && Number.isInteger(Math.log2(blockBytes));
	if (!valid)
		throw new Oci2isoError({
			code: "INVALID_BLOCK_SIZE",
			kind: "usage",
			what: `a block size of ${blockBytes} bytes is not possible`,
			expected: `a power of two from ${MIN_BLOCK_BYTES} to ${MAX_BLOCK_BYTES}`,
		});
}

/** The compressor options are one metadata block that is never compressed (3.1). */
function encodeOptionsBlock(options: Uint8Array | undefined): Buffer {
	if (options === undefined) return Buffer.alloc(0);
	const block = Buffer.alloc(2 + options.byteLength);
	block.writeUInt16LE(options.byteLength | METADATA_STORED_RAW);
	block.set(options, 2);
	return block;
}
