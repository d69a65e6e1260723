import type { ByteSource } from "../binary/byte-source.ts";
import type { BlockDecompressor } from "../codec/types.ts";
import { corrupt } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import {
	FLAG,
	METADATA_BLOCK_BYTES,
	METADATA_STORED_RAW,
	NONE_64,
	STORED_RAW,
	SUPERBLOCK_BYTES,
} from "../rootfs/squashfs/constants.ts";
import { LookupTable } from "../rootfs/squashfs/lookup-table-reader.ts";
import { readMetadataBlock } from "../rootfs/squashfs/metadata-reader.ts";
import { FRAGMENT_ENTRY, XATTR_ID_ENTRY, XATTR_TABLE_HEADER } from "../rootfs/squashfs/records.ts";
import type { Superblock } from "../rootfs/squashfs/superblock.ts";

export interface SquashfsTables {
	readonly directoryEnd: number;
	readonly exports: LookupTable | undefined;
}

interface Region {
	readonly name: string;
	readonly start: number;
	readonly end: number;
}

/** Every byte from the inode table to the image's end belongs to exactly one table. */
export async function checkTables(
	image: ByteSource,
	decompressor: BlockDecompressor,
	superblock: Superblock,
	findings: Findings,
): Promise<SquashfsTables> {
	const { bytesUsed, fragmentCount, inodeCount, idCount } = superblock;
	const regions: Region[] = [];
	const lookup = async (name: string, position: bigint, count: number, recordBytes: number): Promise<LookupTable> => {
		const positionsAt = Number(position);
		regions.push(...(await lookupRegions(image, decompressor, name, positionsAt, count * recordBytes)));
		return new LookupTable(image, decompressor, { name, positionsAt, count, recordBytes });
	};
	const fragments =
		superblock.fragmentTable === NONE_64
			? undefined
			: await lookup("fragment table", superblock.fragmentTable, fragmentCount, FRAGMENT_ENTRY.byteLength);
	const exports =
		superblock.exportTable === NONE_64
			? undefined
			: await lookup("export table", superblock.exportTable, inodeCount, 8);
	await lookup("id table", superblock.idTable, idCount, 4);
	if (superblock.xattrTable !== NONE_64) await addXattrs(image, decompressor, Number(superblock.xattrTable), regions);
	regions.sort((a, b) => a.start - b.start || a.end - b.end);
	const directoryEnd = regions[0]?.start ?? bytesUsed;
	let end = directoryEnd;
	for (const region of regions) {
		if (region.start !== end)
			findings.fault(`the ${region.name} is at ${region.start}`, "squashfs tables", `at ${end}`);
		end = Math.max(end, region.end);
	}
	findings.equal("bytes used", bytesUsed, end, "squashfs superblock");
	if (fragments === undefined && fragmentCount > 0)
		findings.fault(`${fragmentCount} fragments without a table`, "squashfs superblock", "one");
	if (fragments !== undefined) await checkFragments(fragments, superblock, findings);
	return { directoryEnd, exports };
}

/** The blocks of a table of equal records, and the list of their positions. */
async function lookupRegions(
	image: ByteSource,
	decompressor: BlockDecompressor,
	name: string,
	positionsAt: number,
	contentBytes: number,
	headerBytes = 0,
): Promise<Region[]> {
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

async function addXattrs(
	image: ByteSource,
	decompressor: BlockDecompressor,
	position: number,
	regions: Region[],
): Promise<void> {
	const name = "xattr table";
	const headerBytes = XATTR_TABLE_HEADER.byteLength;
	const bytes = await image.read(position, headerBytes);
	const { pairsPosition, setCount } = XATTR_TABLE_HEADER.decode(bytes);
	if (bytes.subarray(12).some((byte) => byte !== 0))
		throw corrupt(
			"CORRUPT_METADATA",
			"reserved bytes of the xattr table's header are set",
			`offset ${position}`,
			"zeros",
		);
	const idBytes = setCount * XATTR_ID_ENTRY.byteLength;
	const ids = await lookupRegions(image, decompressor, name, position + headerBytes, idBytes, headerBytes);
	const firstId = Math.min(...ids.map(({ start }) => start));
	// The reader has checked that the pairs' blocks end exactly there.
	regions.push({ name, start: pairsPosition, end: firstId }, ...ids);
	await checkXattrSets(image, decompressor, position + headerBytes, setCount, firstId - pairsPosition);
}

async function checkXattrSets(
	image: ByteSource,
	decompressor: BlockDecompressor,
	positionsAt: number,
	count: number,
	pairsBytes: number,
): Promise<void> {
	const recordBytes = XATTR_ID_ENTRY.byteLength;
	const table = new LookupTable(image, decompressor, { name: "xattr id table", positionsAt, count, recordBytes });
	for (let i = 0; i < count; i++) {
		const { reference, pairCount } = XATTR_ID_ENTRY.decode(await table.record(i));
		if (pairCount === 0 || Math.floor(reference / 0x1_0000) >= pairsBytes)
			throw corrupt("CORRUPT_METADATA", `xattr set ${i} has ${pairCount} attributes at ${reference}`, "xattr id table");
	}
}

async function checkFragments(table: LookupTable, superblock: Superblock, findings: Findings): Promise<void> {
	const { fragmentCount, blockBytes, inodeTable, flags } = superblock;
	if ((flags & FLAG.noFragments) !== 0 && fragmentCount > 0) return;
	for (let i = 0; i < fragmentCount; i++) {
		const bytes = await table.record(i);
		const { position, size } = FRAGMENT_ENTRY.decode(bytes);
		const stored = size & (STORED_RAW - 1);
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
