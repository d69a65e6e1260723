import { type ByteString, bytesOf, displayName } from "../binary/byte-string.ts";
import { ByteWriter } from "../binary/byte-writer.ts";
import type { DeviceInode, DirectoryInode, FileInode, Inode, IpcInode, SymlinkInode } from "../tree/inode.ts";
import { EXTENDED, INODE_TYPE, MAX_TARGET_BYTES, NONE_32 } from "./constants.ts";
import type { Listing } from "./directory-table-writer.ts";
import { beyondLimit } from "./limits.ts";
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
import type { StoredFile } from "./stored-data.ts";

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

export interface DirectoryPlace {
	readonly listing: Listing;
	readonly parentInodeNumber: number;
}

const MAX_32 = 0xffff_ffff;

/** The inode table (5): each inode in the basic form where it suffices. */
export class InodeTableWriter {
	readonly #table: MetadataWriter;

	constructor(table: MetadataWriter) {
		this.#table = table;
	}

	directory(inode: DirectoryInode, fields: InodeFields, { listing, parentInodeNumber }: DirectoryPlace): void {
		const listingSize = listing.byteLength + 3;
		const place = {
			listingBlock: listing.position.block,
			listingOffset: listing.position.offset,
			listingSize,
			parentInodeNumber,
			linkCount: fields.linkCount,
		};
		if (listing.indexCount === 0 && listingSize <= 0xffff && fields.xattrIndex === NONE_32)
			this.#table.write(DIRECTORY_INODE.encode({ ...header(inode, fields, false), ...place }));
		else {
			const rest = { indexCount: listing.indexCount, xattrIndex: fields.xattrIndex };
			this.#table.write(EXTENDED_DIRECTORY_INODE.encode({ ...header(inode, fields, true), ...place, ...rest }));
			this.#table.write(listing.index);
		}
	}

	file(
		inode: FileInode,
		fields: InodeFields,
		{ sparseBytes, byteLength, content: { firstBlock, blocks, fragment } }: StoredFile,
	): void {
		const extended =
			fields.xattrIndex !== NONE_32 ||
			fields.linkCount > 1 ||
			sparseBytes > 0 ||
			byteLength > MAX_32 ||
			firstBlock > MAX_32;
		const place = {
			...header(inode, fields, extended),
			firstBlock,
			byteLength,
			fragmentIndex: fragment?.index ?? NONE_32,
			fragmentOffset: fragment?.offset ?? 0,
		};
		if (extended) {
			const rest = { sparseBytes, linkCount: fields.linkCount, xattrIndex: fields.xattrIndex };
			this.#table.write(EXTENDED_FILE_INODE.encode({ ...place, ...rest }));
		} else this.#table.write(FILE_INODE.encode(place));
		if (blocks.count === 0) return;
		for (const sizes of blocks.chunks()) {
			const bytes = new ByteWriter(4 * sizes.length);
			for (const size of sizes) bytes.u32le(size);
			this.#table.write(bytes.view());
		}
	}

	/** Throws `Oci2isoError` INVALID_LINK_TARGET. */
	symlink(inode: SymlinkInode, fields: InodeFields, path: () => ByteString): void {
		if (inode.target.length === 0 || inode.target.length > MAX_TARGET_BYTES)
			throw beyondLimit(
				"INVALID_LINK_TARGET",
				`the link target "${displayName(inode.target.slice(0, 80))}" has ${inode.target.length} bytes`,
				path(),
				`1 to ${MAX_TARGET_BYTES} bytes`,
			);
		const target = bytesOf(inode.target);
		const counts = { linkCount: fields.linkCount, targetBytes: target.byteLength };
		this.#write(inode, fields, (head) => SYMLINK_INODE.encode({ ...head, ...counts }), target);
	}

	/** Throws `Oci2isoError` DEVICE_NUMBER_TOO_LARGE. */
	device(inode: DeviceInode, fields: InodeFields, path: () => ByteString): void {
		const { major, minor } = inode;
		if (!(major >= 0 && major <= 0xfff && minor >= 0 && minor <= 0xf_ffff))
			throw beyondLimit(
				"DEVICE_NUMBER_TOO_LARGE",
				`device ${major}:${minor} cannot be stored`,
				path(),
				"a major number to 4095 and a minor number to 1048575",
			);
		const deviceNumber = ((minor & 0xff) | (major << 8) | ((minor & 0xf_ff00) << 12)) >>> 0;
		const { linkCount } = fields;
		this.#write(inode, fields, (head) => DEVICE_INODE.encode({ ...head, linkCount, deviceNumber }));
	}

	ipc(inode: IpcInode, fields: InodeFields): void {
		const { linkCount } = fields;
		this.#write(inode, fields, (head) => IPC_INODE.encode({ ...head, linkCount }));
	}

	/** Types whose extended form is the basic one and the xattr index after it. */
	#write(
		inode: Inode,
		fields: InodeFields,
		encode: (head: ReturnType<typeof header>) => Uint8Array,
		after: Uint8Array = new Uint8Array(0),
	): void {
		const extended = fields.xattrIndex !== NONE_32;
		this.#table.write(encode(header(inode, fields, extended)));
		this.#table.write(after);
		if (extended) this.#table.write(XATTR_INDEX.encode({ xattrIndex: fields.xattrIndex }));
	}
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
