import type { ByteString } from "../../binary/byte-string.ts";
import type { Steps } from "../../binary/turns.ts";
import type { BlockCompressor } from "../../codec/types.ts";
import type { StoredFile } from "../../content/stored-data.ts";
import { assert, assertNever } from "../../errors.ts";
import type { DirectoryInode, FileInode, Inode, Timestamp } from "../../tree/inode.ts";
import { type InodeNumbering, type NumberedDirectory, pathOf } from "../inode-numbers.ts";
import { beyondLimit } from "../limits.ts";
import { type Loss, LossCounter, type XattrLoss, XattrLossCounter } from "../losses.ts";
import { INODE_TYPE } from "./constants.ts";
import { DirectoryTableWriter, type Listing, type ListingEntry } from "./directory-table-writer.ts";
import { IdTable } from "./id-table.ts";
import { type InodeFields, InodeTableWriter } from "./inode-table-writer.ts";
import type { Cursor } from "./lookup-table-writer.ts";
import { type MetadataPosition, MetadataWriter } from "./metadata-writer.ts";
import { XattrTableWriter } from "./xattr-table-writer.ts";

const MAX_TIME_SECONDS = 0xffff_ffff;
/** Blocks of the inode and directory tables are addressed in 32 bits. */
const MAX_TABLE_BYTES = 0xffff_ffff;
const NOT_WRITTEN = -1;

export interface InodeCounts {
	readonly inodes: number;
	readonly directories: number;
	readonly regularFiles: number;
	readonly symlinks: number;
	readonly devices: number;
	readonly ipcs: number;
	/** Directory entries beyond the first of their inode. */
	readonly extraLinks: number;
}

interface WrittenTree extends InodeCounts {
	/** As the superblock names the root: block << 16 | offset. */
	readonly rootInode: bigint;
	readonly directoryTable: readonly Uint8Array[];
	readonly unstorableXattrs: readonly XattrLoss[];
	readonly clampedTimes: Loss;
	readonly truncatedTimes: Loss;
}

interface TreeWriterOptions {
	readonly root: DirectoryInode;
	readonly numbering: InodeNumbering;
	readonly compressor: Pick<BlockCompressor, "compressNow">;
	readonly storedFileOf: (file: FileInode) => StoredFile;
	/** What positions of contents count from. */
	readonly start: number;
	/** Gets the inode table. */
	readonly out: Cursor;
}

/**
 * Writes the inodes, and collects the tables that they refer to.
 * Directories come children first: a listing names the places of inodes, and a directory's inode names the place of its listing.
 */
export class TreeWriter {
	readonly ids = new IdTable();
	readonly xattrs: XattrTableWriter;
	readonly #options: TreeWriterOptions;
	readonly #numbering: InodeNumbering;
	readonly #inodeTable: MetadataWriter;
	readonly #inodes: InodeTableWriter;
	readonly #listings: DirectoryTableWriter;
	/** Of directories whose listing is written and whose inode is not. */
	readonly #pending = new Map<DirectoryInode, { readonly directory: NumberedDirectory; readonly listing: Listing }>();
	/** By inode number: block * 2^16 + offset, or `NOT_WRITTEN`. */
	readonly #references: Float64Array;
	readonly #unstorableXattrs = new XattrLossCounter();
	readonly #clampedTimes = new LossCounter();
	readonly #truncatedTimes = new LossCounter();
	readonly #counts = { directories: 0, regularFiles: 0, symlinks: 0, devices: 0, ipcs: 0, extraLinks: 0 };

	constructor(options: TreeWriterOptions) {
		const { compressor, out } = options;
		this.#options = options;
		this.xattrs = new XattrTableWriter(compressor);
		this.#numbering = options.numbering;
		this.#inodeTable = new MetadataWriter(compressor, (bytes) => out.write(bytes));
		this.#inodes = new InodeTableWriter(this.#inodeTable, options.start);
		this.#listings = new DirectoryTableWriter(compressor);
		this.#references = new Float64Array(this.#numbering.count + 1).fill(NOT_WRITTEN);
	}

	/** An entry a step. */
	*write(): Steps<WrittenTree> {
		const { root } = this.#options;
		for (const directory of this.#numbering.directories.toReversed()) {
			yield* this.#writeListing(directory);
		}
		const { block, offset } = this.#writeInode(root, () => "/");
		this.#inodeTable.finish();
		const directoryTable = this.#listings.finish();
		const directoryTableBytes = directoryTable.reduce((sum, part) => sum + part.byteLength, 0);
		checkTableBytes(Math.max(this.#inodeTable.storedBytes, directoryTableBytes));
		return {
			...this.#counts,
			rootInode: (BigInt(block) << 16n) | BigInt(offset),
			directoryTable,
			inodes: this.#numbering.count,
			unstorableXattrs: this.#unstorableXattrs.losses,
			clampedTimes: this.#clampedTimes.loss,
			truncatedTimes: this.#truncatedTimes.loss,
		};
	}

	/** The export table's records (8): an inode reference for each inode number, from 1. */
	encodeExportTable(): Buffer {
		const bytes = Buffer.alloc(8 * this.#numbering.count);
		for (let i = 0; i < this.#numbering.count; i++)
			bytes.writeBigUInt64LE(BigInt(Number(this.#references[i + 1])), 8 * i);
		return bytes;
	}

	*#writeListing(directory: NumberedDirectory): Steps<void> {
		const namesBytes = directory.names.reduce((sum, name) => sum + name.length, 0);
		const children = this.#writeChildren(directory);
		const listing = yield* this.#listings.writeListing(children, namesBytes, directory.names.length);
		this.#pending.set(directory.inode, { directory, listing });
	}

	*#writeChildren(directory: NumberedDirectory): Generator<ListingEntry> {
		for (const name of directory.names) {
			const child = directory.inode.entries.get(name);
			assert(child !== undefined, "an entry has an inode");
			const inode = this.#writeInode(child, () => pathOf(directory, name));
			yield { name, inodeNumber: numberOf(child), inode, type: INODE_TYPE[child.type] };
		}
	}

	/** Writes an inode, or finds it where one of its other links was written. */
	#writeInode(inode: Inode, path: () => ByteString): MetadataPosition {
		const number = numberOf(inode);
		const reference = Number(this.#references[number]);
		if (reference !== NOT_WRITTEN) {
			this.#counts.extraLinks++;
			return { block: Math.floor(reference / 0x1_0000), offset: reference % 0x1_0000 };
		}
		const position = this.#inodeTable.position;
		checkTableBytes(position.block);
		this.#references[number] = position.block * 0x1_0000 + position.offset;
		this.#writeByType(inode, this.#fieldsOf(inode, number, path), path);
		return position;
	}

	#writeByType(inode: Inode, fields: InodeFields, path: () => ByteString): void {
		switch (inode.type) {
			case "directory":
				this.#counts.directories++;
				this.#writeDirectory(inode, fields);
				break;
			case "file":
				this.#counts.regularFiles++;
				this.#writeFile(inode, fields);
				break;
			case "symlink":
				this.#counts.symlinks++;
				this.#inodes.symlink(inode, fields, path);
				break;
			case "block-device":
			case "character-device":
				this.#counts.devices++;
				this.#inodes.device(inode, fields, path);
				break;
			case "fifo":
			case "socket":
				this.#counts.ipcs++;
				this.#inodes.ipc(inode, fields);
				break;
			default:
				assertNever(inode);
		}
	}

	#writeDirectory(inode: DirectoryInode, fields: InodeFields): void {
		const pending = this.#pending.get(inode);
		assert(pending !== undefined, "a directory's listing precedes its inode");
		this.#pending.delete(inode);
		const { listing, directory } = pending;
		// The root has no parent; like mksquashfs, name a number that no inode has.
		const parentInodeNumber = directory.parent?.number ?? this.#numbering.count + 1;
		const linkCount = 2 + directory.subdirectories;
		this.#inodes.directory(inode, { ...fields, linkCount }, { listing, parentInodeNumber });
	}

	#writeFile(inode: FileInode, fields: InodeFields): void {
		const stored = this.#options.storedFileOf(inode);
		assert(stored.byteLength === inode.byteLength, `${inode.byteLength} bytes became ${stored.byteLength}`);
		this.#inodes.file(inode, fields, stored);
	}

	#fieldsOf(inode: Inode, inodeNumber: number, path: () => ByteString): InodeFields {
		const { seconds: mtimeSeconds } = storedTime(inode.mtime);
		if (mtimeSeconds !== inode.mtime.seconds) this.#clampedTimes.add(path);
		else if (inode.mtime.nanoseconds !== 0) this.#truncatedTimes.add(path);
		return {
			inodeNumber,
			linkCount: Number(this.#numbering.linkCounts[inodeNumber]),
			uidIndex: this.ids.indexOf(inode.uid),
			gidIndex: this.ids.indexOf(inode.gid),
			mtimeSeconds,
			xattrIndex: this.xattrs.indexOf(inode.xattrs, (name) => this.#unstorableXattrs.add(name, path)),
		};
	}
}

function numberOf({ number = 0 }: Inode): number {
	assert(number > 0, "every inode of the tree has a number");
	return number;
}

/** Whole seconds from 1970 to 2106. */
export function storedTime({ seconds }: Timestamp): Timestamp {
	return { seconds: Math.min(Math.max(seconds, 0), MAX_TIME_SECONDS), nanoseconds: 0 };
}

function checkTableBytes(byteLength: number): void {
	if (byteLength > MAX_TABLE_BYTES)
		throw beyondLimit(
			"SQUASHFS_TOO_LARGE",
			`the metadata of the image takes ${byteLength} bytes`,
			undefined,
			`at most ${MAX_TABLE_BYTES} bytes for inodes and for directories`,
		);
}
