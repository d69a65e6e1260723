import { storedBytes } from "../../content/block-size.ts";
import { corrupt } from "../../errors.ts";
import type { Findings } from "../../findings/findings.ts";
import { FLAG, METADATA_BLOCK_BYTES, METADATA_STORED_RAW, STORED_RAW, SUPERBLOCK_BYTES } from "./constants.ts";
import type { LookupTable } from "./lookup-table-reader.ts";
import { readMetadataBlock } from "./metadata-reader.ts";
import { FRAGMENT_ENTRY, XATTR_ID_ENTRY, XATTR_TABLE_HEADER } from "./records.ts";
import type { SquashfsReader } from "./squashfs-reader.ts";
import type { Superblock } from "./superblock.ts";
import type { XattrTable } from "./xattr-table-reader.ts";

interface Region {
	readonly name: string;
	readonly start: number;
	readonly end: number;
}

/** Every byte from the directory table's end to the image's belongs to exactly one table. */
export async function checkTables(reader: SquashfsReader, findings: Findings): Promise<void> {
	const { bytesUsed, fragmentCount } = reader.superblock;
	const { ids, fragments, exports, xattrs, directoryEnd } = await reader.tables();
	const regions: Region[] = [];
	for (const table of [fragments, exports, ids])
		if (table !== undefined) regions.push(...(await lookupRegions(reader, table)));
	if (xattrs !== undefined) await addXattrs(reader, xattrs, regions);
	regions.sort((a, b) => a.start - b.start || a.end - b.end);
	let end = directoryEnd;
	for (const region of regions) {
		if (region.start !== end)
			findings.fault(`the ${region.name} is at ${region.start}`, "squashfs tables", `at ${end}`);
		end = Math.max(end, region.end);
	}
	findings.equal("bytes used", bytesUsed, end, "squashfs superblock");
	if (fragments === undefined && fragmentCount > 0)
		findings.fault(`${fragmentCount} fragments without a table`, "squashfs superblock", "one");
	if (fragments !== undefined) await checkFragments(fragments, reader.superblock, findings);
}

/** The blocks of a table of equal records, and the list of their positions. */
async function lookupRegions(
	{ image, decompressor }: SquashfsReader,
	{ place }: LookupTable,
	headerBytes = 0,
): Promise<Region[]> {
	const { name, positionsAt } = place;
	const contentBytes = place.count * place.recordBytes;
	const count = Math.ceil(contentBytes / METADATA_BLOCK_BYTES);
	const list = Buffer.from(await image.read(positionsAt, 8 * count));
	const regions: Region[] = [
		{ name: `list of ${name} blocks`, start: positionsAt - headerBytes, end: positionsAt + 8 * count },
	];
	for (let i = 0; i < count; i++) {
		const start = Number(list.readBigUInt64LE(8 * i));
		const previous = regions.at(-1);
		// Blocks of one table follow each other; a list that repeats one could be long.
		const follows = i === 0 || previous === undefined || previous.end === start;
		if (!(start >= SUPERBLOCK_BYTES && start < positionsAt && follows))
			throw corrupt("CORRUPT_METADATA", `block ${i} of the ${name} is at ${start}`, "squashfs tables");
		const header = Buffer.from(await image.read(start, 2)).readUInt16LE();
		const content = await readMetadataBlock(image, start, decompressor);
		const wanted = Math.min(METADATA_BLOCK_BYTES, contentBytes - i * METADATA_BLOCK_BYTES);
		if (content.byteLength !== wanted)
			throw corrupt(
				"CORRUPT_METADATA",
				`block ${i} of the ${name} has ${content.byteLength} bytes`,
				`offset ${start}`,
				`${wanted}`,
			);
		regions.push({ name, start, end: start + 2 + (header & (METADATA_STORED_RAW - 1)) });
	}
	return regions;
}

async function addXattrs(reader: SquashfsReader, xattrs: XattrTable, regions: Region[]): Promise<void> {
	const { ids, pairsPosition } = xattrs;
	const headerBytes = XATTR_TABLE_HEADER.byteLength;
	const position = ids.place.positionsAt - headerBytes;
	const reserved = (await reader.image.read(position, headerBytes)).subarray(12);
	if (reserved.some((byte) => byte !== 0))
		throw corrupt(
			"CORRUPT_METADATA",
			"reserved bytes of the xattr table's header are set",
			`offset ${position}`,
			"zeros",
		);
	const idRegions = await lookupRegions(reader, ids, headerBytes);
	const firstId = Math.min(...idRegions.map(({ start }) => start));
	// The reader has checked that the pairs' blocks end exactly there.
	regions.push({ name: "xattr table", start: pairsPosition, end: firstId }, ...idRegions);
	for (let i = 0; i < ids.count; i++) {
		const { reference, pairCount } = XATTR_ID_ENTRY.decode(await ids.record(i));
		if (pairCount === 0 || Math.floor(reference / 0x1_0000) >= firstId - pairsPosition)
			throw corrupt("CORRUPT_METADATA", `xattr set ${i} has ${pairCount} attributes at ${reference}`, "xattr id table");
	}
}

async function checkFragments(table: LookupTable, superblock: Superblock, findings: Findings): Promise<void> {
	const { fragmentCount, blockBytes, inodeTable, flags } = superblock;
	if ((flags & FLAG.noFragments) !== 0 && fragmentCount > 0) return;
	for (let i = 0; i < fragmentCount; i++) {
		const bytes = await table.record(i);
		const { position, size } = FRAGMENT_ENTRY.decode(bytes);
		const stored = storedBytes(size);
		const isInside = position >= SUPERBLOCK_BYTES && position + stored <= Number(inodeTable);
		if (
			!isInside ||
			stored === 0 ||
			stored > blockBytes ||
			size >= 2 * STORED_RAW ||
			bytes.subarray(12).some((b) => b !== 0)
		)
			findings.fault(`fragment ${i} is at ${position} with size field ${size}`, "fragment table", "a block of data");
	}
}
