import { type ByteSource, region } from "../../binary/byte-source.ts";
import { isBlockBytes } from "../../codec/codec-table.ts";
import { createDecompressor } from "../../codec/decompressor.ts";
import type { BlockDecompressor, CodecName } from "../../codec/types.ts";
import { ContentReader } from "../../content/content-reader.ts";
import { corrupt } from "../../errors.ts";
import type { RootReader, TableVisitor } from "../root-file-system.ts";
import { codecOfCompressor } from "./compressors.ts";
import { FLAG, METADATA_STORED_RAW, NONE_64, SQUASHFS_MAGIC, SUPERBLOCK_BYTES } from "./constants.ts";
import { InodeReader } from "./inode-reader.ts";
import { LookupTable } from "./lookup-table-reader.ts";
import { MetadataTable } from "./metadata-reader.ts";
import { FRAGMENT_ENTRY } from "./records.ts";
import { SUPERBLOCK, type Superblock } from "./superblock.ts";
import { readTree, type TreeTables } from "./tree-reader.ts";
import { XattrTable } from "./xattr-table-reader.ts";

/** The tables that hold the tree. */
interface SquashfsTables extends TreeTables {
	readonly ids: LookupTable;
	readonly fragments: LookupTable | undefined;
	readonly exports: LookupTable | undefined;
	readonly xattrs: XattrTable | undefined;
	/** Where the directory table ends. */
	readonly directoryEnd: number;
}

/** An image that is open for reading. */
export interface SquashfsReader extends RootReader {
	/** From the superblock on, without the padding. */
	readonly image: ByteSource;
	readonly superblock: Superblock;
	/** Of tables. */
	readonly decompressor: BlockDecompressor;
	/** Opened by the first call. Throws `Oci2isoError` CORRUPT_METADATA or UNEXPECTED_END. */
	tables(): Promise<SquashfsTables>;
}

/**
 * Opens a squashfs 4.0, whose superblock is at the beginning of `source`; what follows the image there is ignored. `decompressorOf` says what decodes blocks.
 * Throws `Oci2isoError` NOT_SQUASHFS, CORRUPT_SUPERBLOCK, UNSUPPORTED_COMPRESSOR, CORRUPT_METADATA, UNEXPECTED_END or CODEC_UNAVAILABLE.
 */
export async function openSquashfs(
	source: ByteSource,
	visitor?: TableVisitor,
	decompressorOf: (codec: CodecName) => BlockDecompressor = createDecompressor,
): Promise<SquashfsReader> {
	const superblock = await readSuperblock(source);
	const image = region(source, 0, superblock.bytesUsed);
	const optionsBytes = await readOptionsBytes(image, superblock);
	const codec = codecOfCompressor(superblock.compressor);
	const decoder = decompressorOf(codec);
	const decompressor: BlockDecompressor = {
		decompress(block, ...rest) {
			visitor?.compressed(block);
			return decoder.decompress(block, ...rest);
		},
	};
	const positions = tablePositions(superblock);
	const { blockBytes, inodeCount } = superblock;
	let tables: Promise<SquashfsTables> | undefined;

	async function openTables(): Promise<SquashfsTables> {
		const lookupTable = (name: string, positionsAt: number, count: number, recordBytes: number): LookupTable =>
			new LookupTable(image, decompressor, { name, positionsAt, count, recordBytes });
		const { fragmentCount, idCount, rootInode } = superblock;
		const ids = lookupTable("id table", positions.ids, idCount, 4);
		const fragments =
			positions.fragments === undefined
				? undefined
				: lookupTable("fragment table", positions.fragments, fragmentCount, FRAGMENT_ENTRY.byteLength);
		const exports =
			positions.exports === undefined ? undefined : lookupTable("export table", positions.exports, inodeCount, 8);
		const firsts = [ids, fragments, exports].flatMap((table) => table?.firstBlock() ?? []);
		const directoryEnd = Math.min(...(await Promise.all(firsts)));
		const { inodes: start, directories: middle } = positions;
		const inodeTable = await MetadataTable.open(image, decompressor, "inode table", start, middle);
		const xattrs =
			positions.xattrs === undefined ? undefined : await XattrTable.open(image, decompressor, positions.xattrs);
		const inodes = new InodeReader({
			inodes: inodeTable,
			ids: await readIds(ids),
			fragments,
			xattrs,
			inodeCount,
			blockBytes,
		});
		const directories = await MetadataTable.open(image, decompressor, "directory table", middle, directoryEnd);
		return { inodeTable, inodes, directories, rootInode, ids, fragments, exports, xattrs, directoryEnd };
	}

	const reader: SquashfsReader = {
		codec,
		blockBytes,
		dataArea: { start: SUPERBLOCK_BYTES + optionsBytes, end: positions.inodes },
		contents: new ContentReader(region(image, 0, positions.inodes), decoder),
		image,
		superblock,
		decompressor,
		tables: () => {
			tables ??= openTables();
			return tables;
		},
		readTree: async () => readTree(await reader.tables()),
	};
	return reader;
}

async function readSuperblock(source: ByteSource): Promise<Superblock> {
	const superblock = SUPERBLOCK.decode(await source.read(0, SUPERBLOCK_BYTES));
	const { magic, versionMajor, versionMinor, blockBytes, blockLog2, bytesUsed, idCount } = superblock;
	if (magic !== SQUASHFS_MAGIC) throw corrupt("NOT_SQUASHFS", "there is no squashfs superblock", "offset 0");
	const wrong =
		versionMajor !== 4 || versionMinor !== 0
			? `the version is ${versionMajor}.${versionMinor}, not 4.0`
			: !isBlockBytes(blockBytes) || 2 ** blockLog2 !== blockBytes
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

/** Of the compressor options behind the superblock, which no decoder needs. */
async function readOptionsBytes(image: ByteSource, { flags }: Superblock): Promise<number> {
	if ((flags & FLAG.compressorOptions) === 0) return 0;
	const head = await image.read(SUPERBLOCK_BYTES, 2);
	const header = Number(head[0]) | (Number(head[1]) << 8);
	const length = header & (METADATA_STORED_RAW - 1);
	if ((header & METADATA_STORED_RAW) === 0 || length > 64)
		throw corrupt("CORRUPT_SUPERBLOCK", `the compressor options have the header ${header}`);
	return 2 + length;
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
