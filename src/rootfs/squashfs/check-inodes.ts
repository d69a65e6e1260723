import { byteStringOf, displayName } from "../../binary/byte-string.ts";
import { corrupt, type Oci2isoError } from "../../errors.ts";
import type { Findings } from "../../findings/findings.ts";
import { METADATA_BLOCK_BYTES } from "./constants.ts";
import type { ListingPlace } from "./inode-reader.ts";
import { MetadataCursor, type MetadataTable } from "./metadata-reader.ts";
import { DIRECTORY_ENTRY, DIRECTORY_HEADER, DIRECTORY_INDEX_ENTRY } from "./records.ts";
import type { SquashfsReader } from "./squashfs-reader.ts";

const WHERE = "inode table";

/**
 * Reads the inode table from end to end, independently of the tree: the inodes fill it, there are as many as the superblock says, the
 * export table leads to each, the listings fill the directory table, and directory indexes lead where they say. `blockCount` counts the
 * data blocks of all files in the tree.
 */
export async function checkInodeTable(reader: SquashfsReader, blockCount: number, findings: Findings): Promise<void> {
	const { inodeCount, rootInode } = reader.superblock;
	const { inodeTable, inodes, directories, exports } = await reader.tables();
	const end = await contentBytes(inodeTable);
	// Inodes that lie over each other could share one long block list.
	if (4 * blockCount > end)
		throw corrupt("CORRUPT_METADATA", `${blockCount} blocks of files`, WHERE, `at most ${end / 4}`);
	const places = new Map<number, number>();
	let listingBytes = 0;
	const parentless: number[] = [];
	let position = 0;
	while (position < end) {
		const { inode, listing, end: after } = await inodes.read(new MetadataCursor(inodeTable, position));
		places.set(position, inode.inodeNumber);
		if (listing?.parentInodeNumber === inodeCount + 1) parentless.push(inode.inodeNumber);
		listingBytes += listing?.byteLength ?? 0;
		const index = new MetadataCursor(inodeTable, after);
		if (listing !== undefined) await checkIndex(index, listing, directories, `${WHERE}, byte ${position}`);
		position = index.position;
	}
	findings.equal("the end of the last inode", position, end, WHERE);
	findings.equal("inodes in the table", places.size, inodeCount, WHERE);
	findings.equal("bytes of listings", listingBytes, await contentBytes(directories), "directory table");
	const numberAt = (reference: bigint): number | undefined =>
		places.get(inodeTable.cursor(Number(reference >> 16n), Number(reference & 0xffffn)).position);
	if (parentless.length !== 1 || parentless[0] !== numberAt(rootInode))
		findings.fault("the root's parent is not the number after the last inode", WHERE, "one such directory");
	if (exports === undefined) return;
	for (let number = 1; number <= inodeCount; number++) {
		const reference = Buffer.from(await exports.record(number - 1)).readBigUInt64LE();
		if (numberAt(reference) !== number)
			findings.fault(`the entry of inode ${number} is ${reference}`, "export table", "its place");
	}
}

async function contentBytes(table: MetadataTable): Promise<number> {
	const blocks = table.maxContentBytes / METADATA_BLOCK_BYTES;
	return blocks === 0 ? 0 : (blocks - 1) * METADATA_BLOCK_BYTES + (await table.block(blocks - 1)).byteLength;
}

/** Reads a directory's index, whose entries lead to headers in its listing. */
async function checkIndex(
	cursor: MetadataCursor,
	place: ListingPlace,
	directories: MetadataTable,
	where: string,
): Promise<void> {
	if (place.indexCount === 0) return;
	const wrong = (what: string): Oci2isoError =>
		corrupt("CORRUPT_METADATA", `a directory index is wrong: ${what}`, where);
	const listing = directories.cursor(place.block, place.offset).position;
	let previous = "";
	for (let i = 0; i < place.indexCount; i++) {
		const entry = DIRECTORY_INDEX_ENTRY.decode(await cursor.read(DIRECTORY_INDEX_ENTRY.byteLength));
		if (entry.lastNameByte > 255) throw wrong(`a name of ${entry.lastNameByte + 1} bytes`);
		const name = byteStringOf(await cursor.read(entry.lastNameByte + 1));
		const target = listing + entry.listingPosition;
		const block = directories.cursor(entry.directoryBlock, 0).position;
		const isInBlock = target >= block && target < block + METADATA_BLOCK_BYTES;
		if (!isInBlock || entry.listingPosition >= place.byteLength || name <= previous)
			throw wrong(`the entry of "${displayName(name)}"`);
		const header = new MetadataCursor(directories, target);
		await header.read(DIRECTORY_HEADER.byteLength);
		const { lastNameByte } = DIRECTORY_ENTRY.decode(await header.read(DIRECTORY_ENTRY.byteLength));
		if (lastNameByte !== entry.lastNameByte || byteStringOf(await header.read(lastNameByte + 1)) !== name)
			throw wrong(`the entry of "${displayName(name)}" leads to another name`);
		previous = name;
	}
}
