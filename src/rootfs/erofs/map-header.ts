import { alignUp, divideCeil } from "../../binary/units.ts";
import { corrupt } from "../../errors.ts";
import { DATA_LAYOUT, HIGH, MAP_ADVICE, MAP_ALIGNMENT } from "./constants.ts";
import type { StoredInode } from "./inode-reader.ts";
import { CLUSTER_INDEX, MAP_HEADER } from "./records.ts";
import type { Volume } from "./volume.ts";

const WHOLE_IN_PACKED = 0x80;
const MAX_CLUSTER_LOG2 = 14;
/** Of the advice for a list: log2 of a record's words of 4 bytes. */
const RECORD_SHIFT = 1;

/** How the content of a compressed inode is found. */
export interface MapHeader {
	/** The whole content is in the packed inode, here. */
	readonly packedAt: number | undefined;
	readonly isFull: boolean;
	/** The map is a list of extents (48 bit), and not an index. */
	readonly isList: boolean;
	/** Of such a list. */
	readonly extentCount: number;
	/** `MAP_ADVICE` */
	readonly advice: number;
	/** Its lower 32 bits. */
	readonly fragmentOffset: number;
	/** 0: no tail is behind the index. */
	readonly inlineBytes: number;
	/** `ALGORITHM` of the first and second kind of heads. */
	readonly algorithms: readonly [number, number];
	readonly clusterBytes: number;
	readonly blockBytes: number;
	/** Absolute. */
	readonly end: number;
}

/** Throws `Oci2isoError` CORRUPT_METADATA or UNEXPECTED_END. */
export async function readMapHeader(volume: Volume, { end: start, layout, number }: StoredInode): Promise<MapHeader> {
	const position = alignUp(start, MAP_ALIGNMENT);
	const bytes = await volume.metadata.read(position, MAP_HEADER.byteLength);
	const { fragmentOffset, advice, algorithms, clusterBits } = MAP_HEADER.decode(bytes);
	const isFull = layout === DATA_LAYOUT.compressedFull;
	const isList = isFull && (advice & MAP_ADVICE.compact2Bytes) !== 0;
	const isWhole = (clusterBits & WHOLE_IN_PACKED) !== 0 && !(isList && volume.hasWideAddresses);
	const clusterLog2 = volume.blockLog2 + (clusterBits & 15);
	const hasFragment = (advice & MAP_ADVICE.fragment) !== 0;
	const isUneven = ((advice & MAP_ADVICE.largeClusters1) !== 0) !== ((advice & MAP_ADVICE.largeClusters2) !== 0);
	const where = `inode ${number}`;
	if (
		!isWhole &&
		((!isFull && (clusterLog2 !== volume.blockLog2 || isUneven)) || (!isList && clusterLog2 > MAX_CLUSTER_LOG2))
	)
		throw corrupt(
			"CORRUPT_METADATA",
			`the index of a file has clusters of 2^${clusterLog2} bytes, advice ${advice}`,
			where,
		);
	if (isList && !volume.hasWideAddresses)
		throw corrupt("CORRUPT_METADATA", "a file has a list of extents, and the image no wide addresses", where);
	const packedAt = volume.metadata.view(bytes).getBigUint64(0, true) & ((1n << 63n) - 1n);
	return {
		packedAt: isWhole ? Number(packedAt) : undefined,
		isFull,
		isList,
		extentCount: fragmentOffset + (algorithms + clusterBits * 256) * HIGH,
		advice,
		fragmentOffset,
		inlineBytes:
			!isWhole && !isList && !hasFragment && (advice & MAP_ADVICE.inlineTail) !== 0 ? fragmentOffset >>> 16 : 0,
		algorithms: [algorithms & 15, algorithms >> 4],
		clusterBytes: 2 ** clusterLog2,
		blockBytes: volume.blockBytes,
		end: position + MAP_HEADER.byteLength,
	};
}

/** Between the map header and a full index. */
const GAP_BYTES = 8;
const PACK_ALIGNMENT = 32;
/** Clusters of a pack of 2-byte entries. */
const SHORT_PACK = 16;

/** Where a full index begins. */
export function fullIndexStart({ end }: MapHeader): number {
	return end + GAP_BYTES;
}

/** Of a compact index: how many clusters are before those with entries of 2 bytes, and how many have such. */
export function compactShape(
	{ end, advice, clusterBytes }: MapHeader,
	byteLength: number,
): { before: number; short: number } {
	const count = divideCeil(byteLength, clusterBytes);
	const before = (alignUp(end, PACK_ALIGNMENT) - end) / 4;
	const hasShort = (advice & MAP_ADVICE.compact2Bytes) !== 0 && before < count;
	return { before, short: hasShort ? count - before - ((count - before) % SHORT_PACK) : 0 };
}

/** Of a list of extents: where its records begin, how long they are, how many there are, and whether each is of one logical cluster. */
export function listShape({ end, advice, clusterBytes, extentCount }: MapHeader, byteLength: number) {
	const recordBytes = 4 << ((advice >> RECORD_SHIFT) & 3);
	const isUniform = recordBytes < 16;
	const start = alignUp(end, recordBytes) + (recordBytes === 4 ? 8 : 0);
	return { start, recordBytes, isUniform, count: isUniform ? divideCeil(byteLength, clusterBytes) : extentCount };
}

/** Where the index or list of a content of so many bytes ends, and an inline tail begins. */
export function mapEnd(header: MapHeader, byteLength: number): number {
	if (header.packedAt !== undefined) return header.end;
	const count = divideCeil(byteLength, header.clusterBytes);
	if (header.isList) {
		const { start, recordBytes, count: records } = listShape(header, byteLength);
		return start + records * recordBytes;
	}
	if (header.isFull) return fullIndexStart(header) + count * CLUSTER_INDEX.byteLength;
	const { short } = compactShape(header, byteLength);
	return header.end + short * 2 + alignUp((count - short) * 4, MAP_ALIGNMENT);
}
