import { assert, corrupt } from "../../errors.ts";
import type { RootDirectory, RootInode } from "../root-inode.ts";
import { INODE_TYPE } from "./constants.ts";
import { readListing } from "./directory-reader.ts";
import type { InodeReader, ListingPlace, ReadInode } from "./inode-reader.ts";
import type { MetadataTable } from "./metadata-reader.ts";

export interface TreeTables {
	readonly inodeTable: MetadataTable;
	readonly inodes: InodeReader;
	readonly directories: MetadataTable;
	/** As in the superblock: block << 16 | offset. */
	readonly rootInode: bigint;
}

interface PendingDirectory {
	readonly inode: RootDirectory;
	readonly listing: ListingPlace;
}

/** Reads the whole tree. Throws `Oci2isoError` CORRUPT_METADATA; memory is bounded by what the image's tables hold. */
export async function readTree({ inodeTable, inodes, directories, rootInode }: TreeTables): Promise<RootDirectory> {
	const byReference = new Map<number, RootInode>();
	const numbers = new Set<number>();
	const pending: PendingDirectory[] = [];
	let listingBytes = 0;

	const add = async (block: number, offset: number): Promise<ReadInode> => {
		const read = await inodes.read(inodeTable.cursor(block, offset));
		byReference.set(block * 0x1_0000 + offset, read.inode);
		if (numbers.has(read.inode.inodeNumber))
			throw corrupt("CORRUPT_METADATA", `two inodes have the number ${read.inode.inodeNumber}`);
		numbers.add(read.inode.inodeNumber);
		if (read.inode.type === "directory") {
			assert(read.listing !== undefined, "a directory has a listing");
			pending.push({ inode: read.inode, listing: read.listing });
			// Listings do not overlap in a sound image; a hostile one could name one long listing from every directory.
			listingBytes += read.listing.byteLength;
			if (listingBytes > directories.maxContentBytes)
				throw corrupt("CORRUPT_METADATA", "the directories' listings are longer than their table");
		}
		return read;
	};

	const root = (await add(Number(rootInode >> 16n), Number(rootInode & 0xffffn))).inode;
	if (root.type !== "directory") throw corrupt("CORRUPT_METADATA", "the root is not a directory");
	for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
		for await (const entry of readListing(directories, next.listing)) {
			const known = byReference.get(entry.block * 0x1_0000 + entry.offset);
			if (known?.type === "directory") throw corrupt("CORRUPT_METADATA", "a directory is in the tree twice");
			const added = known === undefined ? await add(entry.block, entry.offset) : undefined;
			const inode = known ?? added?.inode;
			assert(inode !== undefined, "an entry leads to an inode");
			const wrongParent = added?.listing !== undefined && added.listing.parentInodeNumber !== next.inode.inodeNumber;
			if (INODE_TYPE[inode.type] !== entry.type || inode.inodeNumber !== entry.inodeNumber || wrongParent)
				throw corrupt("CORRUPT_METADATA", `a directory entry does not agree with inode ${inode.inodeNumber}`);
			next.inode.entries.set(entry.name, inode);
		}
	}
	return root;
}
