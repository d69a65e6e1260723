import type { ByteSource } from "../binary/byte-source.ts";
import type { ByteString } from "../binary/byte-string.ts";
import type { Steps } from "../binary/turns.ts";
import type { CodecName, GzipForm } from "../codec/types.ts";
import type { Contents } from "../content/contents.ts";
import type { DataWriter, DataWriterOptions } from "../content/data-writer.ts";
import type { FragmentRule } from "../content/fragment-rule.ts";
import type { DataStatistics, StoredFile } from "../content/stored-data.ts";
import type { Findings } from "../findings/findings.ts";
import type { DirectoryInode, FileInode, Timestamp } from "../tree/inode.ts";
import type { RootDirectory, RootFile, RootInode } from "./root-inode.ts";

/** As Linux calls them: types of a mount, and modules. */
export const ROOT_FILE_SYSTEM_NAMES = ["squashfs", "erofs"] as const;
export type RootFileSystemName = (typeof ROOT_FILE_SYSTEM_NAMES)[number];

/** A format of the root file system: everything that build, inspect and verify ask of it. */
export interface RootFileSystem {
	readonly name: RootFileSystemName;
	/** What its images can be written with. */
	readonly codecs: readonly CodecName[];
	readonly gzipForm: GzipForm;
	/** Whether tails can share blocks. */
	packsTails(codec: CodecName): boolean;
	/** Whether there is a table that NFS needs and others do without. */
	readonly hasExportTable: boolean;
	readonly kernel: KernelNeeds;
	/** Whether an image of it begins with these bytes; `HEAD_BYTES` suffice. */
	isAt(head: Uint8Array): boolean;
	createWriter(options: RootWriterOptions): RootWriter;
	/** Opens the image at the beginning of `source`; what follows it there is ignored. Throws `Oci2isoError` (corrupt). */
	open(source: ByteSource, visitor?: TableVisitor): Promise<RootReader>;
	/** Reads everything but contents, and reports what is wrong; throws `Oci2isoError` (corrupt) where it cannot be read on. */
	check(source: ByteSource, findings: Findings, signal: AbortSignal | undefined): Promise<CheckedRoot>;
	/** Whether it, and Linux reading it, have a place for an extended attribute of this full name and value. */
	storesXattr(name: ByteString, value: Uint8Array): boolean;
	/** A modification time as it is kept. */
	storedTime(time: Timestamp): Timestamp;
}

/** Bytes of an image that say of which format it is, and what it begins with at most before its contents. */
export const HEAD_BYTES = 4096;

/** What the kernel must have to mount it. */
interface KernelNeeds {
	/** The first release that knows what our images have, as far as that is not old; those of distributions may have taken it over. */
	readonly since?: { readonly major: number; readonly minor: number } | undefined;
	/** What adds the decoder of a codec. */
	readonly decoders: Readonly<Record<Exclude<CodecName, "none">, KernelDecoder>>;
	/** Why it would refuse a compressed block that others read (it answers EIO), by the block's header; undefined where it takes it. */
	refusal(codec: CodecName, block: Uint8Array, blockBytes: number): string | undefined;
}

interface KernelDecoder {
	/** Kconfig's name. */
	readonly setting: string;
	/** What the module imports then, one of them: kernels differ. */
	readonly symbols: readonly string[];
}

export interface RootWriterOptions extends DataWriterOptions {
	/** Content of a full block: 4 KiB to 1 MiB, a power of two. */
	readonly blockBytes: number;
	/** Of the file system: 0 to 2^32 - 1. */
	readonly modificationTimeSeconds: number;
	/** Default: `DEFAULT_FRAGMENT_RULE`. */
	readonly fragmentRule?: FragmentRule | undefined;
	/** With the table that NFS needs. Default true. */
	readonly exportable?: boolean | undefined;
	/** How many images beside the first one have their contents in the same blocks. Default 0. */
	readonly furtherImages?: number | undefined;
}

/**
 * Writes an image from position 0 of the sink on: contents first, through `data`, then the tree. Further images share the contents: image k begins
 * `k * HEAD_BYTES` behind the first, so that heads are side by side before the contents, and the trees follow those in the images' order. Each is whole for itself, from its head
 * to the end of its tree, and knows nothing of the others.
 */
export interface RootWriter {
	readonly data: DataWriter;
	/**
	 * Writes everything else of the next image, in steps, when `data` is finished.
	 * Throws `Oci2isoError` (contract) for what the format, or Linux reading it, cannot hold.
	 */
	finishing(root: DirectoryInode, storedFileOf: (file: FileInode) => StoredFile): Steps<RootSummary>;
}

/** What was written; all but counts in bytes. */
export interface RootSummary {
	readonly inodes: number;
	/** Different user and group ids. */
	readonly ids: number;
	readonly fragments: number;
	/** Of the contents of all images. */
	readonly data: DataStatistics;
	/** Where it begins, from the beginning of the first image. */
	readonly start: number;
	/** From there on, with the contents and padding. */
	readonly byteLength: number;
	readonly losses: readonly StorageLoss[];
}

/** What could not be stored as the image has it. */
export interface StorageLoss {
	/** A sentence. */
	readonly what: string;
	/** Most images have it, and nobody misses it. */
	readonly isCommon: boolean;
}

/** Told of the blocks that tables are in. */
export interface TableVisitor {
	/** The bytes of a compressed one, before they are decoded; what it throws ends the reading. */
	compressed(block: Uint8Array): void;
}

/** Bytes of an image: from `start` up to `end`. */
export interface Stretch {
	readonly start: number;
	readonly end: number;
}

/** An image that is open for reading. */
export interface RootReader {
	readonly codec: CodecName;
	readonly blockBytes: number;
	/** Where blocks of contents are. */
	readonly dataArea: Stretch;
	readonly contents: Contents;
	/** The whole tree, read anew by each call. Throws `Oci2isoError` CORRUPT_METADATA, CORRUPT_BLOCK or UNEXPECTED_END. */
	readTree(): Promise<RootDirectory>;
}

/** An image whose tables were looked at. */
export interface CheckedRoot extends Pick<RootReader, "codec" | "blockBytes" | "dataArea" | "contents"> {
	readonly format: RootFileSystem;
	readonly root: RootDirectory;
	/** What else is in the data area, in no order; undefined: nothing. */
	readonly occupied?: readonly Stretch[];
	/** Each once. Inodes have numbers from 1 to at most one more than the tree has names. */
	readonly files: readonly RootFile[];
	/** The first path, without leading slash. */
	pathOf(inode: RootInode): ByteString;
	/** What it says of its making and no reader needs, against when that was and whether contents are compressed. */
	checkMarks(epochSeconds: number, hasCompressedBlocks: boolean, findings: Findings): void;
}
