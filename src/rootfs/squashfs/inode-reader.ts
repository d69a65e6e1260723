import { byteStringOf } from "../../binary/byte-string.ts";
import { NO_XATTRS } from "../../binary/xattrs.ts";
import type { BlockSizes } from "../../content/block-list.ts";
import type { FileLayout, FragmentTail } from "../../content/file-layout.ts";
import { assert, corrupt } from "../../errors.ts";
import type { InodeAttributes, Timestamp } from "../../tree/inode.ts";
import { MAX_TARGET_BYTES } from "../../tree/path.ts";
import { deviceOf } from "../limits.ts";
import type { InodeIdentity, RootDirectory, RootFile, RootInode } from "../root-inode.ts";
import { EXTENDED, INODE_TYPE, NONE_32 } from "./constants.ts";
import type { LookupTable } from "./lookup-table-reader.ts";
import type { MetadataCursor, MetadataTable } from "./metadata-reader.ts";
import {
	DEVICE_INODE,
	DIRECTORY_INODE,
	EXTENDED_DIRECTORY_INODE,
	EXTENDED_FILE_INODE,
	FILE_INODE,
	FRAGMENT_ENTRY,
	INODE_HEADER,
	IPC_INODE,
	SYMLINK_INODE,
	XATTR_INDEX,
} from "./records.ts";
import type { XattrTable } from "./xattr-table-reader.ts";

interface InodeTables {
	readonly inodes: MetadataTable;
	/** By index. */
	readonly ids: readonly number[];
	readonly fragments: LookupTable | undefined;
	readonly xattrs: XattrTable | undefined;
	readonly inodeCount: number;
	readonly blockBytes: number;
}

/** Where a directory's entries are. */
export interface ListingPlace {
	readonly block: number;
	readonly offset: number;
	readonly byteLength: number;
	readonly parentInodeNumber: number;
	/** Entries of the index that follows the inode. */
	readonly indexCount: number;
}

export interface ReadInode {
	readonly inode: RootInode;
	/** For a directory, whose `entries` are still empty. */
	readonly listing?: ListingPlace;
	/** Where it ends in the table's content, but for a directory's index. */
	readonly end: number;
}

type Common = InodeAttributes & InodeIdentity;
type Fields = ReturnType<typeof INODE_HEADER.decode>;

const TYPE_NAMES = Object.keys(INODE_TYPE) as (keyof typeof INODE_TYPE)[];
const NO_BLOCKS: BlockSizes = { count: 0, chunks: () => [] };
const SIZE_CHUNK_BYTES = 8192;

/** Reads inodes (5). Every method throws `Oci2isoError` CORRUPT_METADATA. */
export class InodeReader {
	readonly #tables: InodeTables;
	/** Neighbours mostly have one time. */
	#mtime: Timestamp = { seconds: 0, nanoseconds: 0 };

	constructor(tables: InodeTables) {
		this.#tables = tables;
	}

	/** The cursor goes to the inode's end, but stays before the block sizes of a file. */
	async read(cursor: MetadataCursor): Promise<ReadInode> {
		const header = INODE_HEADER.decode(await cursor.fork().read(INODE_HEADER.byteLength));
		const extended = header.type > EXTENDED;
		const type = TYPE_NAMES[header.type - (extended ? EXTENDED : 0) - 1];
		if (type === undefined) throw corrupt("CORRUPT_METADATA", `an inode has type ${header.type}`);
		if (header.inodeNumber < 1 || header.inodeNumber > this.#tables.inodeCount)
			throw corrupt("CORRUPT_METADATA", `an inode has number ${header.inodeNumber}`);
		switch (type) {
			case "directory":
				return this.#directory(cursor, extended);
			case "file": {
				const inode = await this.#file(cursor, extended);
				return { inode, end: cursor.position + 4 * inode.layout.blocks.count };
			}
			default:
				return { inode: await this.#other(type, cursor, extended), end: cursor.position };
		}
	}

	async #directory(cursor: MetadataCursor, extended: boolean): Promise<ReadInode> {
		const fields = extended
			? EXTENDED_DIRECTORY_INODE.decode(await cursor.read(EXTENDED_DIRECTORY_INODE.byteLength))
			: {
					...DIRECTORY_INODE.decode(await cursor.read(DIRECTORY_INODE.byteLength)),
					xattrIndex: NONE_32,
					indexCount: 0,
				};
		const common = await this.#common(fields, fields.linkCount, fields.xattrIndex);
		const inode: RootDirectory = { type: "directory", ...common, entries: new Map() };
		return {
			inode,
			listing: {
				block: fields.listingBlock,
				offset: fields.listingOffset,
				byteLength: Math.max(0, fields.listingSize - 3),
				parentInodeNumber: fields.parentInodeNumber,
				indexCount: fields.indexCount,
			},
			end: cursor.position,
		};
	}

	async #file(cursor: MetadataCursor, extended: boolean): Promise<RootFile & { readonly layout: FileLayout }> {
		const fields = extended
			? EXTENDED_FILE_INODE.decode(await cursor.read(EXTENDED_FILE_INODE.byteLength))
			: {
					...FILE_INODE.decode(await cursor.read(FILE_INODE.byteLength)),
					sparseBytes: 0,
					linkCount: 1,
					xattrIndex: NONE_32,
				};
		const { byteLength, sparseBytes, firstBlock } = fields;
		const { blockBytes, inodes } = this.#tables;
		const hasTail = fields.fragmentIndex !== NONE_32;
		const count = hasTail ? Math.floor(byteLength / blockBytes) : Math.ceil(byteLength / blockBytes);
		if (!(cursor.position + 4 * count <= inodes.maxContentBytes))
			throw corrupt("CORRUPT_METADATA", `the blocks of a file of ${byteLength} bytes do not fit the inode table`);
		const layout: FileLayout = {
			byteLength,
			blockBytes,
			firstBlock,
			blocks: count === 0 ? NO_BLOCKS : storedBlockSizes(cursor, count),
			tail: hasTail ? await this.#tail(fields.fragmentIndex, fields.fragmentOffset) : undefined,
		};
		const common = await this.#common(fields, fields.linkCount, fields.xattrIndex);
		return { type: "file", ...common, byteLength, sparseBytes, layout };
	}

	async #tail(index: number, offset: number): Promise<FragmentTail> {
		const { fragments } = this.#tables;
		if (fragments === undefined)
			throw corrupt("CORRUPT_METADATA", `a file is in fragment ${index} and there is no table`);
		const { position, size } = FRAGMENT_ENTRY.decode(await fragments.record(index));
		return { position, size, offset };
	}

	async #other(
		type: Exclude<keyof typeof INODE_TYPE, "directory" | "file">,
		cursor: MetadataCursor,
		extended: boolean,
	): Promise<RootInode> {
		if (type === "symlink") {
			const fields = SYMLINK_INODE.decode(await cursor.read(SYMLINK_INODE.byteLength));
			if (fields.targetBytes > MAX_TARGET_BYTES)
				throw corrupt("CORRUPT_METADATA", `a symbolic link has a target of ${fields.targetBytes} bytes`);
			const target = byteStringOf(await cursor.read(fields.targetBytes));
			return { type, ...(await this.#common(fields, fields.linkCount, await xattrIndex(cursor, extended))), target };
		}
		if (type === "fifo" || type === "socket") {
			const fields = IPC_INODE.decode(await cursor.read(IPC_INODE.byteLength));
			return { type, ...(await this.#common(fields, fields.linkCount, await xattrIndex(cursor, extended))) };
		}
		const fields = DEVICE_INODE.decode(await cursor.read(DEVICE_INODE.byteLength));
		const common = await this.#common(fields, fields.linkCount, await xattrIndex(cursor, extended));
		return { type, ...common, ...deviceOf(fields.deviceNumber) };
	}

	async #common(fields: Fields, linkCount: number, xattrs: number): Promise<Common> {
		if (fields.mode > 0o7777) throw corrupt("CORRUPT_METADATA", `an inode has mode ${fields.mode.toString(8)}`);
		if (this.#mtime.seconds !== fields.mtimeSeconds) this.#mtime = { seconds: fields.mtimeSeconds, nanoseconds: 0 };
		return {
			mode: fields.mode,
			uid: this.#id(fields.uidIndex),
			gid: this.#id(fields.gidIndex),
			mtime: this.#mtime,
			xattrs: xattrs === NONE_32 ? NO_XATTRS : await this.#xattrs(xattrs),
			inodeNumber: fields.inodeNumber,
			linkCount,
		};
	}

	#id(index: number): number {
		const id = this.#tables.ids[index];
		if (id === undefined) throw corrupt("CORRUPT_METADATA", `entry ${index} of the id table does not exist`);
		return id;
	}

	async #xattrs(index: number): Promise<InodeAttributes["xattrs"]> {
		if (this.#tables.xattrs === undefined)
			throw corrupt("CORRUPT_METADATA", `an inode has xattr set ${index} and the image has no xattr table`);
		return this.#tables.xattrs.set(index);
	}
}

async function xattrIndex(cursor: MetadataCursor, extended: boolean): Promise<number> {
	return extended ? XATTR_INDEX.decode(await cursor.read(XATTR_INDEX.byteLength)).xattrIndex : NONE_32;
}

/** Block sizes that are read from the inode table each time they are asked for: a sparse file may have millions. */
function storedBlockSizes(start: MetadataCursor, count: number): BlockSizes {
	const origin = start.fork();
	return {
		count,
		async *chunks() {
			const cursor = origin.fork();
			for (let rest = count; rest > 0; ) {
				const length = Math.min(rest, SIZE_CHUNK_BYTES / 4);
				const bytes = await cursor.read(4 * length);
				assert(bytes.byteLength === 4 * length, "a cursor reads what it is asked for");
				const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
				yield Uint32Array.from({ length }, (_, i) => view.getUint32(4 * i, true));
				rest -= length;
			}
		},
	};
}
