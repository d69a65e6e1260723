import type { Steps } from "../../binary/turns.ts";
import type { ImageBlock, StoredFile } from "../../content/stored-data.ts";
import {
	blocksOf,
	encodeEnd,
	encodeExtent,
	encodeTail,
	extentsOf,
	mapBytes,
	type PlacedExtent,
} from "./cluster-index.ts";
import { BLOCK_BYTES, DATA_LAYOUT, HIGH, MAP_ADVICE, MAP_ALIGNMENT } from "./constants.ts";
import { type DataShape, NO_MAP } from "./inode-shape.ts";
import { MAP_HEADER } from "./records.ts";

const WHOLLY_PACKED = 1n << 63n;
const CHUNK_ENTRY_BYTES = 4;
const CHUNK_HOLE = 0xffff_ffff;

/** A regular file's data, as its inode has it. */
export interface FileData {
	readonly shape: DataShape;
	/** It needs the block of zeros. */
	readonly hasHoles: boolean;
	/** As the layout has it. */
	location(): number;
	/** What follows the attributes, in steps. */
	writingMap(write: (bytes: Uint8Array) => void): Steps<void>;
}

/** What all files of an image have in common. */
export interface FileContext {
	/** Of compressed contents; undefined where none is compressed. */
	readonly algorithm: number | undefined;
	/** Content of a full block. */
	readonly blockBytes: number;
	/** Where the image begins, as places of contents are counted. */
	readonly imageStart: number;
	/** A block of zeros for holes. */
	readonly zeroBlock: number;
	/** Where a fragment block's content begins in the packed inode. */
	packedStart(fragment: number): number;
}

/** How a file is found. */
export function fileData(file: StoredFile, context: FileContext): FileData {
	const { algorithm, blockBytes, imageStart } = context;
	const { byteLength, content } = file;
	const { firstBlock, blocks, fragment } = content;
	if (byteLength === 0) return flatFile(0);
	const extents = () => extentsOf({ byteLength, blockBytes, firstBlock, blocks });
	if (algorithm === undefined) {
		if (hasHoles(extents())) return chunkedFile(extents, blocks.count, context);
		return flatFile((firstBlock - imageStart) / BLOCK_BYTES);
	}
	if (fragment === undefined) return extentFile(byteLength, extents, context);
	const packedOffset = context.packedStart(fragment.index) + fragment.offset;
	if (blocks.count === 0) return packedFile(packedOffset);
	return extentFile(byteLength, extents, context, { packedOffset, byteLength: byteLength - blocks.count * blockBytes });
}

/** The packed inode, which holds the contents of all fragment blocks one behind the other. */
export function packedData(blocks: readonly ImageBlock[], byteLength: number, context: FileContext): FileData {
	function* extents(): Generator<PlacedExtent> {
		for (const place of blocks) yield { byteLength: place.rawBytes, place };
	}
	return extentFile(byteLength, extents, context);
}

function flatFile(firstBlock: number): FileData {
	return {
		shape: { ...NO_MAP, layout: DATA_LAYOUT.flat },
		hasHoles: false,
		location: () => firstBlock,
		*writingMap() {},
	};
}

/** Uncompressed with holes. */
function chunkedFile(
	extents: () => Iterable<PlacedExtent>,
	count: number,
	{ blockBytes, imageStart }: FileContext,
): FileData {
	return {
		shape: {
			...NO_MAP,
			layout: DATA_LAYOUT.chunked,
			mapBytes: CHUNK_ENTRY_BYTES * count,
			mapAlignment: CHUNK_ENTRY_BYTES,
		},
		hasHoles: false,
		location: () => Math.log2(blockBytes / BLOCK_BYTES),
		*writingMap(write) {
			for (const { place } of extents()) {
				const entry = Buffer.alloc(CHUNK_ENTRY_BYTES);
				entry.writeUInt32LE(place === undefined ? CHUNK_HOLE : (place.position - imageStart) / BLOCK_BYTES);
				write(entry);
				yield;
			}
		},
	};
}

/** Wholly in the packed inode. */
function packedFile(packedOffset: number): FileData {
	return {
		shape: {
			...NO_MAP,
			layout: DATA_LAYOUT.compressedFull,
			mapBytes: MAP_HEADER.byteLength,
			mapAlignment: MAP_ALIGNMENT,
		},
		hasHoles: false,
		location: () => 0,
		*writingMap(write) {
			const header = Buffer.alloc(MAP_HEADER.byteLength);
			header.writeBigUInt64LE(WHOLLY_PACKED | BigInt(packedOffset));
			write(header);
			yield;
		},
	};
}

/** In compressed extents, perhaps with its end in the packed inode. */
function extentFile(
	byteLength: number,
	extents: () => Iterable<PlacedExtent>,
	context: FileContext,
	tail?: { readonly packedOffset: number; readonly byteLength: number },
): FileData {
	return {
		shape: {
			...NO_MAP,
			layout: DATA_LAYOUT.compressedFull,
			mapBytes: mapBytes(byteLength),
			mapAlignment: MAP_ALIGNMENT,
		},
		hasHoles: hasHoles(extents()),
		location() {
			let sum = 0;
			for (const { place } of extents()) if (place !== undefined) sum += blocksOf(place);
			return sum;
		},
		*writingMap(write) {
			write(
				MAP_HEADER.encode({
					fragmentOffset: (tail?.packedOffset ?? 0) % HIGH,
					advice: MAP_ADVICE.largeClusters1 | (tail === undefined ? 0 : MAP_ADVICE.fragment),
					algorithms: context.algorithm ?? 0,
					clusterBits: 0,
				}),
			);
			write(Buffer.alloc(MAP_HEADER.byteLength));
			for (const extent of extents()) {
				write(encodeExtent(extent, context.zeroBlock, context.imageStart));
				yield;
			}
			if (tail !== undefined) write(encodeTail(tail.byteLength, tail.packedOffset));
			write(encodeEnd());
		},
	};
}

function hasHoles(extents: Iterable<PlacedExtent>): boolean {
	for (const { place } of extents) if (place === undefined) return true;
	return false;
}
