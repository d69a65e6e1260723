import { type ByteSource, region } from "../../binary/byte-source.ts";
import type { BlockDecompressor } from "../../codec/types.ts";
import { ContentReader } from "../../content/content-reader.ts";
import type { FileLayout } from "../../content/file-layout.ts";
import { corrupt } from "../../errors.ts";
import {
	FLAG,
	MAX_BLOCK_BYTES,
	METADATA_STORED_RAW,
	MIN_BLOCK_BYTES,
	NONE_64,
	SQUASHFS_MAGIC,
	SUPERBLOCK_BYTES,
} from "./constants.ts";
import { InodeReader } from "./inode-reader.ts";
import { LookupTable } from "./lookup-table-reader.ts";
import { MetadataTable } from "./metadata-reader.ts";
import { FRAGMENT_ENTRY } from "./records.ts";
import type { SquashfsDirectory } from "./squashfs-inode.ts";
import { SUPERBLOCK, type Superblock } from "./superblock.ts";
import { readTree } from "./tree-reader.ts";
import { XattrTable } from "./xattr-table-reader.ts";

/** Chooses the codec; `optionsBlock` is the image's own, if it has one. */
export type DecompressorChoice = (squashfsId: number, optionsBlock: Uint8Array | undefined) => BlockDecompressor;

/** An image that is open for reading. */
export interface SquashfsReader {
	readonly superblock: Superblock;
	/** What follows the superblock, without its header. */
	readonly optionsBlock: Uint8Array | undefined;
	/** The whole tree, read anew by each call. Throws `Oci2isoError` CORRUPT_METADATA, CORRUPT_BLOCK or UNEXPECTED_END. */
	readTree(): Promise<SquashfsDirectory>;
	/** A file's content, in chunks of at most 1 MiB. Throws `Oci2isoError` CORRUPT_BLOCK or UNEXPECTED_END. */
	readFile(layout: FileLayout): AsyncIterable<Uint8Array>;
}

/**
 * Opens a squashfs 4.0, whose superblock is at the beginning of `source`; what follows the image there is ignored.
 * Throws `Oci2isoError` NOT_SQUASHFS, CORRUPT_SUPERBLOCK, CORRUPT_METADATA, UNEXPECTED_END, or what `decompressorFor` throws.
 */
export async function openSquashfs(source: ByteSource, decompressorFor: DecompressorChoice): Promise<SquashfsReader> {
	const superblock = await readSuperblock(source);
	const image = region(source, 0, superblock.bytesUsed);
	const optionsBlock = await readOptionsBlock(image, superblock);
	const decompressor = decompressorFor(superblock.compressor, optionsBlock);
	const tables = tablePositions(superblock);

	const lookupTable = (name: string, positionsAt: number, count: number, recordBytes: number): LookupTable =>
		new LookupTable(image, decompressor, { name, positionsAt, count, recordBytes });
	const ids = lookupTable("id table", tables.ids, superblock.idCount, 4);
	const fragments = lookupTable(
		"fragment table",
		tables.fragments ?? 0,
		tables.fragments === undefined ? 0 : superblock.fragmentCount,
		FRAGMENT_ENTRY.byteLength,
	);
	const followers = [ids, ...(tables.fragments === undefined ? [] : [fragments])];
	if (tables.exports !== undefined)
		followers.push(lookupTable("export table", tables.exports, superblock.inodeCount, 8));
	const directoryEnd = Math.min(...(await Promise.all(followers.map((table) => table.firstBlock()))));
	const contents = new ContentReader(region(image, 0, tables.inodes), decompressor);

	return {
		superblock,
		optionsBlock,
		async readTree() {
			const inodes = new InodeReader({
				inodes: await MetadataTable.open(image, decompressor, "inode table", tables.inodes, tables.directories),
				ids: await readIds(ids),
				fragments,
				xattrs: tables.xattrs === undefined ? undefined : await XattrTable.open(image, decompressor, tables.xattrs),
				inodeCount: superblock.inodeCount,
				blockBytes: superblock.blockBytes,
			});
			const { directories: start } = tables;
			const directories = await MetadataTable.open(image, decompressor, "directory table", start, directoryEnd);
			return readTree({ inodes, directories, rootInode: superblock.rootInode });
		},
		readFile: (layout) => contents.read(layout),
	};
}

async function readSuperblock(source: ByteSource): Promise<Superblock> {
	const superblock = SUPERBLOCK.decode(await source.read(0, SUPERBLOCK_BYTES));
	const { magic, versionMajor, versionMinor, blockBytes, blockLog2, bytesUsed, idCount } = superblock;
	if (magic !== SQUASHFS_MAGIC) throw corrupt("NOT_SQUASHFS", "there is no squashfs superblock", "offset 0");
	const wrong =
		versionMajor !== 4 || versionMinor !== 0
			? `the version is ${versionMajor}.${versionMinor}, not 4.0`
			: blockBytes < MIN_BLOCK_BYTES || blockBytes > MAX_BLOCK_BYTES || 2 ** blockLog2 !== blockBytes
				? `the block size is ${blockBytes} bytes, 2^${blockLog2}`
				: !(bytesUsed >= SUPERBLOCK_BYTES && bytesUsed <= source.byteLength)
					? `the image has ${bytesUsed} bytes and its source ${source.byteLength}`
					: idCount === 0
						? "there are no user and group ids"
						: undefined;
	if (wrong !== undefined) throw corrupt("CORRUPT_SUPERBLOCK", wrong, "squashfs superblock");
	return superblock;
}

/** At most 65 535. */
async function readIds(table: LookupTable): Promise<number[]> {
	const ids: number[] = [];
	for (let i = 0; i < table.count; i++) {
		const bytes = await table.record(i);
		ids.push(new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true));
	}
	return ids;
}

async function readOptionsBlock(image: ByteSource, { flags }: Superblock): Promise<Uint8Array | undefined> {
	if ((flags & FLAG.compressorOptions) === 0) return undefined;
	const head = await image.read(SUPERBLOCK_BYTES, 2);
	const header = Number(head[0]) | (Number(head[1]) << 8);
	const length = header & (METADATA_STORED_RAW - 1);
	if ((header & METADATA_STORED_RAW) === 0 || length > 64)
		throw corrupt("CORRUPT_SUPERBLOCK", `the compressor options have the header ${header}`);
	return (await image.read(SUPERBLOCK_BYTES + 2, length)).slice();
}

function tablePositions(superblock: Superblock) {
	const { bytesUsed } = superblock;
	const optional = (name: string, position: bigint): number | undefined => {
		if (position === NONE_64) return undefined;
		if (position < SUPERBLOCK_BYTES || position >= bytesUsed)
			throw corrupt("CORRUPT_SUPERBLOCK", `the ${name} table is at ${position}`, "squashfs superblock");
		return Number(position);
	};
	const required = (name: string, position: bigint): number => {
		const value = optional(name, position);
		if (value === undefined) throw corrupt("CORRUPT_SUPERBLOCK", `there is no ${name} table`, "squashfs superblock");
		return value;
	};
	const positions = {
		inodes: required("inode", superblock.inodeTable),
		directories: required("directory", superblock.directoryTable),
		fragments: optional("fragment", superblock.fragmentTable),
		exports: optional("export", superblock.exportTable),
		ids: required("id", superblock.idTable),
		xattrs: optional("xattr", superblock.xattrTable),
	};
	// Linux insists on this order.
	const order = Object.values(positions).filter((position) => position !== undefined);
	if (order.some((position, i) => position < Number(order[i - 1] ?? 0)))
		throw corrupt("CORRUPT_SUPERBLOCK", "the tables are not in their order", "squashfs superblock");
	return positions;
}
