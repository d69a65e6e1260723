import { type ByteString, byteStringOf, displayName } from "../../binary/byte-string.ts";
import { corrupt } from "../../errors.ts";
import { MAX_NAME_BYTES } from "../../tree/path.ts";
import { MAX_ENTRIES_PER_HEADER } from "./constants.ts";
import type { ListingPlace } from "./inode-reader.ts";
import type { MetadataTable } from "./metadata-reader.ts";
import { DIRECTORY_ENTRY, DIRECTORY_HEADER } from "./records.ts";

export interface ReadEntry {
	readonly name: ByteString;
	/** A basic `INODE_TYPE`. */
	readonly type: number;
	readonly inodeNumber: number;
	/** The inode's reference. */
	readonly block: number;
	readonly offset: number;
}

/**
 * A directory's entries in order (6). Throws `Oci2isoError` CORRUPT_METADATA, also for names that are not in strictly ascending byte order,
 * because Linux would not find those.
 */
export async function* readListing(table: MetadataTable, listing: ListingPlace): AsyncGenerator<ReadEntry> {
	if (listing.byteLength === 0) return;
	const cursor = table.cursor(listing.block, listing.offset);
	const end = cursor.position + listing.byteLength;
	let previous: ByteString | undefined;
	while (cursor.position < end) {
		const header = DIRECTORY_HEADER.decode(await cursor.read(DIRECTORY_HEADER.byteLength));
		if (header.lastEntry >= MAX_ENTRIES_PER_HEADER)
			throw corrupt("CORRUPT_METADATA", `a directory header announces ${header.lastEntry + 1} entries`);
		for (let i = 0; i <= header.lastEntry; i++) {
			const entry = DIRECTORY_ENTRY.decode(await cursor.read(DIRECTORY_ENTRY.byteLength));
			if (entry.lastNameByte >= MAX_NAME_BYTES)
				throw corrupt("CORRUPT_METADATA", `a name has ${entry.lastNameByte + 1} bytes`);
			const name = byteStringOf(await cursor.read(entry.lastNameByte + 1));
			checkName(name, previous);
			previous = name;
			yield {
				name,
				type: entry.type,
				inodeNumber: header.inodeNumber + ((entry.inodeNumberDelta << 16) >> 16),
				block: header.inodeBlock,
				offset: entry.inodeOffset,
			};
		}
	}
	if (cursor.position !== end) throw corrupt("CORRUPT_METADATA", "a directory's listing ends inside a run of entries");
}

function checkName(name: ByteString, previous: ByteString | undefined): void {
	if (name === "." || name === ".." || /[/\0]/.test(name))
		throw corrupt("CORRUPT_METADATA", `"${displayName(name)}" cannot be a file name`);
	if (previous !== undefined && previous >= name)
		throw corrupt("CORRUPT_METADATA", `"${displayName(name)}" follows "${displayName(previous)}"`);
}
