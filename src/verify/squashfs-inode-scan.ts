import type { ByteSource } from "../binary/byte-source.ts";
import { byteStringOf, displayName } from "../binary/byte-string.ts";
import type { BlockDecompressor } from "../codec/types.ts";
import { corrupt } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import { EXTENDED, INODE_TYPE, METADATA_BLOCK_BYTES, NONE_32 } from "../rootfs/squashfs/constants.ts";
import { MetadataCursor, MetadataTable } from "../rootfs/squashfs/metadata-reader.ts";
import {
	DEVICE_INODE,
	DIRECTORY_ENTRY,
	DIRECTORY_HEADER,
	DIRECTORY_INDEX_ENTRY,
	DIRECTORY_INODE,
	EXTENDED_DIRECTORY_INODE,
	EXTENDED_FILE_INODE,
	FILE_INODE,
	INODE_HEADER,
	IPC_INODE,
	SYMLINK_INODE,
	XATTR_INDEX,
} from "../rootfs/squashfs/records.ts";
import type { Superblock } from "../rootfs/squashfs/superblock.ts";
import type { SquashfsTables } from "./squashfs-tables.ts";

/** One record of the inode table. */
interface Scanned {
	readonly byteLength: number;
	/** Bytes of directory listing that it owns. */
	readonly listingBytes: number;
	/** Of a directory. */
	readonly parentInodeNumber?: number;
}

/**
 * Reads the inode table from end to end, independently of the tree: the inodes fill it, there are as many as the superblock says, the
 * export table leads to each, the listings fill the directory table, and directory indexes lead where they say. `blockCount` counts the
 * data blocks of all files in the tree.
 */
export async function scanInodeTable(
	image: ByteSource,
	decompressor: BlockDecompressor,
	superblock: Superblock,
	{ tables, blockCount }: { readonly tables: SquashfsTables; readonly blockCount: number },
	findings: Findings,
): Promise<void> {
	const [start, middle] = [Number(superblock.inodeTable), Number(superblock.directoryTable)];
	const inodes = await MetadataTable.open(image, decompressor, "inode table", start, middle);
	const directories = await MetadataTable.open(image, decompressor, "directory table", middle, tables.directoryEnd);
	const end = await contentBytes(inodes);
	// Inodes that lie over each other could share one long block list.
	if (4 * blockCount > end)
		throw corrupt("CORRUPT_METADATA", `${blockCount} blocks of files`, "inode table", `at most ${end / 4}`);
	const places = new Map<number, number>();
	let listingBytes = 0;
	const parentless: number[] = [];
	let position = 0;
	while (position < end) {
		const header = INODE_HEADER.decode(await at(inodes, position).read(INODE_HEADER.byteLength));
		places.set(position, header.inodeNumber);
		const scanned = await scanInode(inodes, directories, position, header.type, superblock.blockBytes);
		listingBytes += scanned.listingBytes;
		if (scanned.parentInodeNumber === superblock.inodeCount + 1) parentless.push(header.inodeNumber);
		position += scanned.byteLength;
	}
	findings.equal("the end of the last inode", position, end, "inode table");
	findings.equal("inodes in the table", places.size, superblock.inodeCount, "inode table");
	findings.equal("bytes of listings", listingBytes, await contentBytes(directories), "directory table");
	const { rootInode } = superblock;
	const root = places.get(inodes.cursor(Number(rootInode >> 16n), Number(rootInode & 0xffffn)).position);
	if (parentless.length !== 1 || parentless[0] !== root)
		findings.fault("the root's parent is not the number after the last inode", "inode table", "one such directory");
	if (tables.exports === undefined) return;
	for (let number = 1; number <= superblock.inodeCount; number++) {
		const bytes = Buffer.from(await tables.exports.record(number - 1));
		const reference = bytes.readBigUInt64LE();
		const cursor = inodes.cursor(Number(reference >> 16n), Number(reference & 0xffffn));
		if (places.get(cursor.position) !== number)
			findings.fault(`the entry of inode ${number} is ${reference}`, "export table", "its place");
	}
}

function at(table: MetadataTable, position: number): MetadataCursor {
	return new MetadataCursor(table, position);
}

async function contentBytes(table: MetadataTable): Promise<number> {
	const blocks = table.maxContentBytes / METADATA_BLOCK_BYTES;
	return blocks === 0 ? 0 : (blocks - 1) * METADATA_BLOCK_BYTES + (await table.block(blocks - 1)).byteLength;
}

async function scanInode(
	inodes: MetadataTable,
	directories: MetadataTable,
	position: number,
	type: number,
	blockBytes: number,
): Promise<Scanned> {
	const cursor = at(inodes, position);
	const isExtended = type > EXTENDED;
	const tail = isExtended ? XATTR_INDEX.byteLength : 0;
	const plain = (byteLength: number): Scanned => ({ byteLength, listingBytes: 0 });
	switch (isExtended ? type - EXTENDED : type) {
		case INODE_TYPE.directory: {
			if (isExtended) return scanExtendedDirectory(cursor, directories, position);
			const fields = DIRECTORY_INODE.decode(await cursor.read(DIRECTORY_INODE.byteLength));
			const { listingSize, parentInodeNumber } = fields;
			const { byteLength } = DIRECTORY_INODE;
			return { byteLength, listingBytes: Math.max(0, listingSize - 3), parentInodeNumber };
		}
		case INODE_TYPE.file: {
			const record = isExtended ? EXTENDED_FILE_INODE : FILE_INODE;
			const { byteLength, fragmentIndex } = record.decode(await cursor.read(record.byteLength));
			const blocks = byteLength / blockBytes;
			return plain(record.byteLength + 4 * (fragmentIndex === NONE_32 ? Math.ceil(blocks) : Math.floor(blocks)));
		}
		case INODE_TYPE.symlink: {
			const { targetBytes } = SYMLINK_INODE.decode(await cursor.read(SYMLINK_INODE.byteLength));
			return plain(SYMLINK_INODE.byteLength + targetBytes + tail);
		}
		case INODE_TYPE["block-device"]:
		case INODE_TYPE["character-device"]:
			return plain(DEVICE_INODE.byteLength + tail);
		case INODE_TYPE.fifo:
		case INODE_TYPE.socket:
			return plain(IPC_INODE.byteLength + tail);
		default:
			throw corrupt("CORRUPT_METADATA", `an inode has type ${type}`, `inode table, byte ${position}`);
	}
}

async function scanExtendedDirectory(
	cursor: MetadataCursor,
	directories: MetadataTable,
	position: number,
): Promise<Scanned> {
	const fields = EXTENDED_DIRECTORY_INODE.decode(await cursor.read(EXTENDED_DIRECTORY_INODE.byteLength));
	const listingBytes = Math.max(0, fields.listingSize - 3);
	if (fields.indexCount > 0) {
		const listing = directories.cursor(fields.listingBlock, fields.listingOffset).position;
		let previous = "";
		for (let i = 0; i < fields.indexCount; i++) {
			const entry = DIRECTORY_INDEX_ENTRY.decode(await cursor.read(DIRECTORY_INDEX_ENTRY.byteLength));
			if (entry.lastNameByte > 255) throw badIndex(`a name of ${entry.lastNameByte + 1} bytes`, position);
			const name = byteStringOf(await cursor.read(entry.lastNameByte + 1));
			const target = listing + entry.listingPosition;
			const block = directories.cursor(entry.directoryBlock, 0).position;
			const isInBlock = target >= block && target < block + METADATA_BLOCK_BYTES;
			if (!isInBlock || entry.listingPosition >= listingBytes || name <= previous)
				throw badIndex(`the entry of "${displayName(name)}"`, position);
			const header = at(directories, target);
			await header.read(DIRECTORY_HEADER.byteLength);
			const { lastNameByte } = DIRECTORY_ENTRY.decode(await header.read(DIRECTORY_ENTRY.byteLength));
			if (lastNameByte !== entry.lastNameByte || byteStringOf(await header.read(lastNameByte + 1)) !== name)
				throw badIndex(`the entry of "${displayName(name)}" leads to another name`, position);
			previous = name;
		}
	}
	const { parentInodeNumber } = fields;
	return { byteLength: cursor.position - position, listingBytes, parentInodeNumber };
}

function badIndex(what: string, position: number) {
	return corrupt("CORRUPT_METADATA", `a directory index is wrong: ${what}`, `inode table, byte ${position}`);
}
