import { alignUp, divideCeil } from "../../binary/units.ts";
import type { Extent, ExtentLayout } from "../../content/extent-layout.ts";
import { corrupt } from "../../errors.ts";
import { DATA_LAYOUT, HIGH } from "./constants.ts";
import { INLINE, packedExtent, rawExtent } from "./extent-form.ts";
import { readExtentList } from "./extent-list-reader.ts";
import { readCompactIndex, readFullIndex } from "./index-reader.ts";
import type { StoredInode } from "./inode-reader.ts";
import { type MapHeader, mapEnd, readMapHeader } from "./map-header.ts";
import type { Volume } from "./volume.ts";

/** Of a chunk format: log2 of a chunk's blocks, whether entries have 8 bytes, whether addresses have 48 bits. */
const CHUNK_LOG2_MASK = 0x1f;
const CHUNK_INDEXES = 0x20;
const CHUNK_WIDE = 0x40;
const ENTRIES_READ = 512;

type Where = Pick<StoredInode, "number" | "end" | "byteLength" | "location" | "layout">;

interface FileMap extends ExtentLayout {
	/** Where what the image has behind the inode's attributes ends: index, or inline data. */
	readonly metadataEnd: number;
}

/** How the content of an inode is found. Throws `Oci2isoError` CORRUPT_METADATA or UNEXPECTED_END. */
export async function fileMapOf(volume: Volume, inode: StoredInode): Promise<FileMap> {
	const { byteLength, layout, location, number, end } = inode;
	const place: Where = { number, end, byteLength, location, layout };
	const map = (firstBlock: number, metadataEnd: number, extents: () => AsyncIterable<Extent>): FileMap => {
		const { image } = volume;
		if (metadataEnd <= image.byteLength) return { byteLength, firstBlock, metadataEnd, extents };
		const limit = `at most ${image.byteLength}`;
		throw corrupt("CORRUPT_METADATA", `the index of a file ends at ${metadataEnd}`, `inode ${number}`, limit);
	};
	if (byteLength === 0) return map(0, end, noExtents);
	const start = (location ?? 0) * volume.blockBytes;
	switch (layout) {
		case DATA_LAYOUT.flat:
			return map(start, end, () => flatExtents(volume, place));
		case DATA_LAYOUT.flatInline:
			return map(start, end + 1 + ((byteLength - 1) % volume.blockBytes), () => flatExtents(volume, place));
		case DATA_LAYOUT.chunked: {
			const chunks = chunksOf(volume, place);
			return map(end, chunks.start + chunks.count * chunks.entryBytes, () => chunkExtents(volume, place, chunks));
		}
		default: {
			const header = await readMapHeader(volume, inode);
			const mapped = () => mappedExtents(volume, place, header);
			return map(header.packedAt ?? end, mapEnd(header, byteLength) + header.inlineBytes, mapped);
		}
	}
}

async function* noExtents(): AsyncGenerator<Extent> {}

async function* flatExtents(
	volume: Volume,
	{ byteLength, location, layout, end, number }: Where,
): AsyncGenerator<Extent> {
	const { blockBytes } = volume;
	if (layout === DATA_LAYOUT.flat || location === undefined) {
		yield rawExtent(byteLength, location === undefined ? undefined : location * blockBytes);
		return;
	}
	const inBlocks = (divideCeil(byteLength, blockBytes) - 1) * blockBytes;
	const tailBytes = byteLength - inBlocks;
	if ((end % blockBytes) + tailBytes > blockBytes)
		throw corrupt("CORRUPT_METADATA", `its inline data of ${tailBytes} bytes crosses a block`, `inode ${number}`);
	if (inBlocks > 0) yield rawExtent(inBlocks, location * blockBytes);
	yield rawExtent(tailBytes, end, INLINE);
}

interface Chunks {
	readonly start: number;
	readonly count: number;
	readonly entryBytes: number;
	readonly chunkBytes: number;
	readonly hasIndexes: boolean;
	readonly isWide: boolean;
}

function chunksOf({ blockLog2 }: Volume, { byteLength, location = 0, end, number }: Where): Chunks {
	const format = location % 2 ** 16;
	if ((format & ~(CHUNK_LOG2_MASK | CHUNK_INDEXES | CHUNK_WIDE)) !== 0)
		throw corrupt("CORRUPT_METADATA", `a file has the chunk format ${format}`, `inode ${number}`);
	const chunkBytes = 2 ** (blockLog2 + (format & CHUNK_LOG2_MASK));
	const hasIndexes = (format & CHUNK_INDEXES) !== 0;
	const entryBytes = hasIndexes ? 8 : 4;
	return {
		start: alignUp(end, entryBytes),
		count: divideCeil(byteLength, chunkBytes),
		entryBytes,
		chunkBytes,
		hasIndexes,
		isWide: hasIndexes && (format & CHUNK_WIDE) !== 0,
	};
}

async function* chunkExtents(volume: Volume, { byteLength, number }: Where, chunks: Chunks): AsyncGenerator<Extent> {
	const { metadata, blockBytes } = volume;
	const { start, count, entryBytes, chunkBytes, hasIndexes, isWide } = chunks;
	let merged: Extent | undefined;
	for (let first = 0; first < count; first += ENTRIES_READ) {
		const entries = Math.min(ENTRIES_READ, count - first);
		const view = metadata.view(await metadata.read(start + first * entryBytes, entries * entryBytes));
		for (let i = 0; i < entries; i++) {
			const at = i * entryBytes;
			const low = view.getUint32(at + (hasIndexes ? 4 : 0), true);
			const high = isWide ? view.getUint16(at, true) : 0;
			if (hasIndexes && view.getUint16(at + 2, true) !== 0)
				throw corrupt("UNSUPPORTED_FEATURE", "a chunk is on another device", `inode ${number}`);
			const isHole = low === HIGH - 1 && (!isWide || high === 0xffff);
			const length = Math.min(chunkBytes, byteLength - (first + i) * chunkBytes);
			const position = isHole ? undefined : (low + high * HIGH) * blockBytes;
			if (merged !== undefined && isHole && merged.position === undefined) {
				merged = rawExtent(merged.byteLength + length, undefined);
				continue;
			}
			if (merged !== undefined) yield merged;
			merged = rawExtent(length, position);
		}
	}
	if (merged !== undefined) yield merged;
}

function mappedExtents(
	volume: Volume,
	{ byteLength, layout, number }: Where,
	header: MapHeader,
): AsyncIterable<Extent> {
	const where = `inode ${number}`;
	if (header.packedAt !== undefined) return inPacked(byteLength, header.packedAt);
	if (header.isList) return readExtentList(volume, header, byteLength, where);
	const read = layout === DATA_LAYOUT.compressedFull ? readFullIndex : readCompactIndex;
	return read(volume, header, byteLength, where);
}

async function* inPacked(byteLength: number, position: number): AsyncGenerator<Extent> {
	yield packedExtent(byteLength, position);
}
