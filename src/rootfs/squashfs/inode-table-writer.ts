import type { ByteString } from "../../binary/byte-string.ts";
import type { StoredFile } from "../../content/stored-data.ts";
import type { DeviceInode, DirectoryInode, FileInode, Inode, IpcInode, SymlinkInode } from "../../tree/inode.ts";
import { deviceNumber, linkTarget } from "../limits.ts";
import { EXTENDED, INODE_TYPE, NONE_32 } from "./constants.ts";
import type { Listing } from "./directory-table-writer.ts";
import type { MetadataWriter } from "./metadata-writer.ts";
import {
	DEVICE_INODE,
	DIRECTORY_INODE,
	EXTENDED_DIRECTORY_INODE,
	EXTENDED_FILE_INODE,
	FILE_INODE,
	IPC_INODE,
	SYMLINK_INODE,
	XATTR_INDEX,
} from "./records.ts";

/** What every inode says about itself, as the format stores it. */
export interface InodeFields {
	readonly inodeNumber: number;
	/** Directory entries that name it; for a directory 2 and the number of its subdirectories. */
	readonly linkCount: number;
	readonly uidIndex: number;
	readonly gidIndex: number;
	/** 0 to 2^32 - 1. */
	readonly mtimeSeconds: number;
	/** `NONE_32` for none. */
	readonly xattrIndex: number;
}

interface DirectoryPlace {
	readonly listing: Listing;
	readonly parentInodeNumber: number;
}

const MAX_32 = 0xffff_ffff;
const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** The inode table (5): each inode in the basic form where it suffices. */
export class InodeTableWriter {
	readonly #table: MetadataWriter;
	readonly #start: number;

	/** `start` is where the image begins of those whose contents are placed together. */
	constructor(table: MetadataWriter, start = 0) {
		this.#table = table;
		this.#start = start;
	}

	directory(inode: DirectoryInode, fields: InodeFields, { listing, parentInodeNumber }: DirectoryPlace): void {
		const listingSize = listing.byteLength + 3;
		const basic = listing.indexCount === 0 && listingSize <= 0xffff && fields.xattrIndex === NONE_32;
		const values = {
			...header(inode, fields, !basic),
			listingBlock: listing.position.block,
			listingOffset: listing.position.offset,
			listingSize,
			parentInodeNumber,
			linkCount: fields.linkCount,
			indexCount: listing.indexCount,
			xattrIndex: fields.xattrIndex,
		};
		if (basic) this.#table.record(DIRECTORY_INODE, values);
		else {
			this.#table.record(EXTENDED_DIRECTORY_INODE, values);
			this.#table.write(listing.index);
		}
	}

	file(
		inode: FileInode,
		fields: InodeFields,
		{ sparseBytes, byteLength, content: { firstBlock: placedAt, blocks, fragment } }: StoredFile,
	): void {
		const firstBlock = placedAt === 0 ? 0 : placedAt - this.#start;
		const extended =
			fields.xattrIndex !== NONE_32 ||
			fields.linkCount > 1 ||
			sparseBytes > 0 ||
			byteLength > MAX_32 ||
			firstBlock > MAX_32;
		// one literal, because every file comes through here
		const values = {
			type: INODE_TYPE.file + (extended ? EXTENDED : 0),
			mode: inode.mode & 0o7777,
			uidIndex: fields.uidIndex,
			gidIndex: fields.gidIndex,
			mtimeSeconds: fields.mtimeSeconds,
			inodeNumber: fields.inodeNumber,
			firstBlock,
			byteLength,
			fragmentIndex: fragment?.index ?? NONE_32,
			fragmentOffset: fragment?.offset ?? 0,
			sparseBytes,
			linkCount: fields.linkCount,
			xattrIndex: fields.xattrIndex,
		};
		if (extended) this.#table.record(EXTENDED_FILE_INODE, values);
		else this.#table.record(FILE_INODE, values);
		if (blocks.count > 0) for (const sizes of blocks.chunks()) this.#table.write(littleEndian(sizes));
	}

	/** Throws `Oci2isoError` INVALID_LINK_TARGET. */
	symlink(inode: SymlinkInode, fields: InodeFields, path: () => ByteString): void {
		const target = linkTarget(inode, path);
		const counts = { linkCount: fields.linkCount, targetBytes: target.byteLength };
		this.#table.record(SYMLINK_INODE, { ...header(inode, fields, isExtended(fields)), ...counts });
		this.#table.write(target);
		this.#writeXattrIndex(fields);
	}

	/** Throws `Oci2isoError` DEVICE_NUMBER_TOO_LARGE. */
	device(inode: DeviceInode, fields: InodeFields, path: () => ByteString): void {
		const { linkCount } = fields;
		const own = { linkCount, deviceNumber: deviceNumber(inode, path) };
		this.#table.record(DEVICE_INODE, { ...header(inode, fields, isExtended(fields)), ...own });
		this.#writeXattrIndex(fields);
	}

	ipc(inode: IpcInode, fields: InodeFields): void {
		const { linkCount } = fields;
		this.#table.record(IPC_INODE, { ...header(inode, fields, isExtended(fields)), linkCount });
		this.#writeXattrIndex(fields);
	}

	/** For types whose extended form is the basic one and the xattr index after it. */
	#writeXattrIndex(fields: InodeFields): void {
		if (isExtended(fields)) this.#table.record(XATTR_INDEX, { xattrIndex: fields.xattrIndex });
	}
}

function isExtended({ xattrIndex }: InodeFields): boolean {
	return xattrIndex !== NONE_32;
}

function littleEndian(values: Uint32Array): Uint8Array {
	const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
	return IS_LITTLE_ENDIAN ? bytes : Buffer.from(bytes).swap32();
}

function header(inode: Inode, fields: InodeFields, extended: boolean) {
	return {
		type: INODE_TYPE[inode.type] + (extended ? EXTENDED : 0),
		mode: inode.mode & 0o7777,
		uidIndex: fields.uidIndex,
		gidIndex: fields.gidIndex,
		mtimeSeconds: fields.mtimeSeconds,
		inodeNumber: fields.inodeNumber,
	};
}
