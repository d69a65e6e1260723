import { divideCeil } from "../../binary/units.ts";
import type { Extent } from "../../content/extent-layout.ts";
import { ClusterWalk } from "./cluster-walk.ts";
import { CLUSTER_BLOCKS, CLUSTER_TYPE, MAP_ADVICE } from "./constants.ts";
import { compactShape, fullIndexStart, type MapHeader, mapEnd } from "./map-header.ts";
import { CLUSTER_INDEX } from "./records.ts";
import type { Volume } from "./volume.ts";

const ENTRIES_READ = 512;
const PARTIAL = 0x8000;
/** Packs of a compact index end with the address of a block. */
const ADDRESS_BYTES = 4;
const PACK_OF_4 = { entries: 2, byteLength: 8 };
const PACK_OF_2 = { entries: 16, byteLength: 32 };
/** Bits of an entry before its type. */
const LOW_BITS = 12;

/** The extents that an index of fixed logical clusters stands for, 8 bytes a cluster. Throws `Oci2isoError` CORRUPT_METADATA or UNEXPECTED_END. */
export async function* readFullIndex(
	{ metadata }: Volume,
	header: MapHeader,
	byteLength: number,
	where: string,
): AsyncGenerator<Extent> {
	const start = fullIndexStart(header);
	const count = divideCeil(byteLength, header.clusterBytes);
	const walk = new ClusterWalk(header, byteLength, where);
	for (let first = 0; first < count; first += ENTRIES_READ) {
		const entries = Math.min(ENTRIES_READ, count - first);
		const view = metadata.view(
			await metadata.read(start + first * CLUSTER_INDEX.byteLength, entries * CLUSTER_INDEX.byteLength),
		);
		for (let i = 0; i < entries; i++) {
			const at = i * CLUSTER_INDEX.byteLength;
			const advice = view.getUint16(at, true);
			const type = advice & 3;
			if (type === CLUSTER_TYPE.nonHead)
				// Old programs write 0 where the next cluster is the next head.
				walk.nonHead(first + i, view.getUint16(at + 4, true), view.getUint16(at + 6, true));
			else {
				const offset = view.getUint16(at + 2, true);
				const block = view.getUint32(at + 4, true);
				const extent = walk.head(first + i, type, offset, block, (advice & PARTIAL) !== 0);
				if (extent !== undefined) yield extent;
			}
		}
	}
	if (count > 0) yield walk.last(mapEnd(header, byteLength));
}

/** The same of a compact index: packs of entries of 4 bytes, of 2 bytes from an aligned place on, and of 4 again. */
export async function* readCompactIndex(
	{ metadata }: Volume,
	header: MapHeader,
	byteLength: number,
	where: string,
): AsyncGenerator<Extent> {
	const count = divideCeil(byteLength, header.clusterBytes);
	const { before, short } = compactShape(header, byteLength);
	const isLarge = (header.advice & MAP_ADVICE.largeClusters1) !== 0;
	const walk = new ClusterWalk(header, byteLength, where);
	let at = header.end;
	for (let first = 0; first < count; ) {
		const pack = first >= before && first < before + short ? PACK_OF_2 : PACK_OF_4;
		const view = metadata.view(await metadata.read(at, pack.byteLength));
		const bits = ((pack.byteLength - ADDRESS_BYTES) * 8) / pack.entries;
		let block = view.getUint32(pack.byteLength - ADDRESS_BYTES, true) + (isLarge ? 0 : 1);
		/** Blocks of the head before this entry, which are not counted yet. */
		let pending = 0;
		for (let i = 0; i < pack.entries && first + i < count; i++) {
			const bit = i * bits;
			const byte = Math.min(bit >> 3, pack.byteLength - 4);
			const value = view.getUint32(byte, true) >>> (bit - byte * 8);
			const low = value & ((1 << LOW_BITS) - 1);
			const type = (value >>> LOW_BITS) & 3;
			if (type === CLUSTER_TYPE.nonHead) {
				const hasBlocks = (low & CLUSTER_BLOCKS) !== 0;
				if (hasBlocks && isLarge) pending = low & (CLUSTER_BLOCKS - 1);
				// The last entry of a pack says how far the next head is, and not how far its own.
				const isLast = i === pack.entries - 1 && !hasBlocks;
				walk.nonHead(first + i, isLast ? 1 : low, isLast ? low : undefined);
			} else {
				block = (block + pending) >>> 0;
				pending = 1;
				const extent = walk.head(first + i, type, low, block, false);
				if (extent !== undefined) yield extent;
			}
		}
		first += pack.entries;
		at += pack.byteLength;
	}
	if (count > 0) yield walk.last(at);
}
