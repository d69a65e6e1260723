import { STORED_RAW, storedBytes } from "../../content/block-size.ts";
import type { FileLayout } from "../../content/file-layout.ts";
import type { BlockPlace } from "../../content/stored-data.ts";
import { BLOCK_BYTES, CLUSTER_BLOCKS, CLUSTER_TYPE, HIGH } from "./constants.ts";
import { CLUSTER_INDEX, MAP_HEADER } from "./records.ts";

// Linux (fs/erofs/zmap.c) takes one block for a plain extent, so what is stored as it is has an extent for each block. No extent can be a hole: zeros are
// plain extents of one block that all of them share.

/** A stretch of a file's content, and where it is. */
export interface PlacedExtent {
	readonly byteLength: number;
	/** Undefined: zeros. */
	readonly place: BlockPlace | undefined;
}

/** Blocks of the image that a stored block takes. */
export function blocksOf({ size }: BlockPlace): number {
	return Math.ceil(storedBytes(size) / BLOCK_BYTES);
}

/** What a file's blocks hold, in order, without its tail. */
export function* extentsOf({
	byteLength,
	blockBytes,
	firstBlock,
	blocks,
}: Omit<FileLayout, "tail" | "blocks"> & BlockChunks): Generator<PlacedExtent> {
	let position = firstBlock - (firstBlock % BLOCK_BYTES);
	let rest = byteLength;
	for (const sizes of blocks.chunks())
		for (const size of sizes) {
			const length = Math.min(blockBytes, rest);
			const place = size === 0 ? undefined : { position, size };
			yield { byteLength: length, place };
			rest -= length;
			if (place !== undefined) position += blocksOf(place) * BLOCK_BYTES;
		}
}

interface BlockChunks {
	readonly blocks: { chunks(): Iterable<Uint32Array> };
}

/** Bytes of the map of a file with an index: a header, 8 reserved bytes, an entry a block of content and one that ends the last extent (before Linux 6.12 it may be looked at). */
export function mapBytes(byteLength: number): number {
	return 2 * MAP_HEADER.byteLength + CLUSTER_INDEX.byteLength * (Math.ceil(byteLength / BLOCK_BYTES) + 1);
}

/** The entries of an extent, of an image that begins at `imageStart`. */
export function encodeExtent({ byteLength, place }: PlacedExtent, zeroBlock: number, imageStart: number): Buffer {
	const clusters = Math.ceil(byteLength / BLOCK_BYTES);
	if (place === undefined) return plain(clusters, zeroBlock, 0);
	const block = Math.floor((place.position - imageStart) / BLOCK_BYTES);
	if (place.size >= STORED_RAW) return plain(clusters, block, 1);
	return compressed(clusters, block, CLUSTER_BLOCKS | blocksOf(place));
}

/** The entries of a tail that is in the packed inode; the map header has the lower 32 bits of its place. */
export function encodeTail(byteLength: number, packedOffset: number): Buffer {
	return compressed(Math.ceil(byteLength / BLOCK_BYTES), Math.floor(packedOffset / HIGH), 1);
}

/** What ends the index. */
export function encodeEnd(): Buffer {
	return plain(1, 0, 0);
}

function plain(clusters: number, block: number, step: 0 | 1): Buffer {
	const entries = Buffer.alloc(clusters * CLUSTER_INDEX.byteLength);
	for (let i = 0; i < clusters; i++) putEntry(entries, i, CLUSTER_TYPE.plain, block + step * i);
	return entries;
}

/** `firstDelta` is the first non-head's distance to the head, or says how many blocks there are. */
function compressed(clusters: number, block: number, firstDelta: number): Buffer {
	const entries = Buffer.alloc(clusters * CLUSTER_INDEX.byteLength);
	putEntry(entries, 0, CLUSTER_TYPE.head1, block);
	for (let i = 1; i < clusters; i++) {
		const toHead = i === 1 ? firstDelta : i;
		putEntry(entries, i, CLUSTER_TYPE.nonHead, toHead + (clusters - i) * 0x1_0000);
	}
	return entries;
}

/** Not by the record: a file of gigabytes has as many of them as a tree has inodes. */
function putEntry(entries: Buffer, i: number, type: number, blockOrDeltas: number): void {
	const at = i * CLUSTER_INDEX.byteLength;
	entries.writeUInt16LE(type, at + CLUSTER_INDEX.fields.advice.offset);
	entries.writeUInt32LE(blockOrDeltas, at + CLUSTER_INDEX.fields.blockOrDeltas.offset);
}
