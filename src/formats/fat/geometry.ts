import { DISK_BLOCK_BYTES, divideCeil, MiB } from "../../binary/units.ts";

/** FAT12 is read only. */
type FatType = "FAT12" | "FAT16" | "FAT32";

/** Where everything is, in sectors of 512 bytes, as `mkfs.fat` 4.2 lays out a file of the same length. */
export interface FatGeometry {
	readonly type: FatType;
	/** Of the image; may exceed the sectors by less than a track. */
	readonly byteLength: number;
	readonly totalSectors: number;
	readonly sectorsPerCluster: number;
	readonly reservedSectors: number;
	/** Of each of the two tables. */
	readonly fatSectors: number;
	/** Slots of the root directory; 0 on FAT32, where it is a chain like others. */
	readonly rootEntries: number;
	/** Data clusters, numbered from 2. */
	readonly clusterCount: number;
	readonly sectorsPerTrack: number;
	readonly heads: number;
}

export const FAT_COPIES = 2;
export const DIRECTORY_ENTRY_BYTES = 32;
export const FIRST_CLUSTER = 2;
const FAT16_ROOT_ENTRIES = 512;
const FAT16_CLUSTERS = { least: 4087, most: 65524 } as const;
const FAT32_CLUSTERS = { least: 65525, most: 268_435_446 } as const;
const FAT32_RESERVED_SECTORS = 32;
/** From here on FAT32 is the default type. */
const FAT32_FROM_BYTES = 512 * MiB;
/** Below this FAT32 has clusters of one sector (Microsoft's table); the next step, at 8 GiB, is out of reach here. */
const FAT32_SMALL_BELOW_BYTES = 260 * MiB;

/** First data sector. */
export function dataStart(geometry: FatGeometry): number {
	const rootSectors = divideCeil(geometry.rootEntries * DIRECTORY_ENTRY_BYTES, DISK_BLOCK_BYTES);
	return geometry.reservedSectors + FAT_COPIES * geometry.fatSectors + rootSectors;
}

export function clusterBytes(geometry: FatGeometry): number {
	return geometry.sectorsPerCluster * DISK_BLOCK_BYTES;
}

/** The layout of an image of `byteLength`, or undefined where that length cannot have the type. */
export function geometryOf(byteLength: number, type: FatType = defaultType(byteLength)): FatGeometry | undefined {
	const { heads, sectorsPerTrack } = diskGeometry(byteLength);
	const totalSectors = Math.floor(byteLength / DISK_BLOCK_BYTES / sectorsPerTrack) * sectorsPerTrack;
	const shared = { type, byteLength, totalSectors, heads, sectorsPerTrack };
	if (type === "FAT32") {
		const sectorsPerCluster = byteLength < FAT32_SMALL_BELOW_BYTES ? 1 : 8;
		const tables = layOut(totalSectors - FAT32_RESERVED_SECTORS, sectorsPerCluster, 4);
		if (tables.clusterCount < FAT32_CLUSTERS.least || tables.clusterCount > FAT32_CLUSTERS.most) return undefined;
		return { ...shared, ...tables, sectorsPerCluster, reservedSectors: FAT32_RESERVED_SECTORS, rootEntries: 0 };
	}
	const rootSectors = (FAT16_ROOT_ENTRIES * DIRECTORY_ENTRY_BYTES) / DISK_BLOCK_BYTES;
	for (let sectorsPerCluster = 4; sectorsPerCluster <= 128; sectorsPerCluster *= 2) {
		const reservedSectors = sectorsPerCluster;
		const tables = layOut(totalSectors - reservedSectors - rootSectors, sectorsPerCluster, 2);
		if (tables.clusterCount > FAT16_CLUSTERS.most) continue;
		if (tables.clusterCount < FAT16_CLUSTERS.least) return undefined;
		return { ...shared, ...tables, sectorsPerCluster, reservedSectors, rootEntries: FAT16_ROOT_ENTRIES };
	}
	return undefined;
}

function defaultType(byteLength: number): FatType {
	return byteLength < FAT32_FROM_BYTES ? "FAT16" : "FAT32";
}

/** Sizes the tables for what remains beside them; each table starts and ends on a cluster boundary. */
function layOut(
	sectors: number,
	sectorsPerCluster: number,
	entryBytes: 2 | 4,
): { readonly fatSectors: number; readonly clusterCount: number } {
	const estimate = Math.floor(
		(sectors * DISK_BLOCK_BYTES + FAT_COPIES * entryBytes * 2) /
			(sectorsPerCluster * DISK_BLOCK_BYTES + FAT_COPIES * entryBytes),
	);
	const needed = divideCeil((estimate + FIRST_CLUSTER) * entryBytes, DISK_BLOCK_BYTES);
	const fatSectors = divideCeil(needed, sectorsPerCluster) * sectorsPerCluster;
	return { fatSectors, clusterCount: Math.floor((sectors - FAT_COPIES * fatSectors) / sectorsPerCluster) };
}

/** Heads and sectors per track by capacity (SD File System Specification, "CHS recommendation"). */
function diskGeometry(byteLength: number): { readonly heads: number; readonly sectorsPerTrack: number } {
	const size = byteLength / MiB;
	if (size <= 2) return { heads: 2, sectorsPerTrack: 16 };
	if (size <= 16) return { heads: 2, sectorsPerTrack: 32 };
	if (size <= 32) return { heads: 4, sectorsPerTrack: 32 };
	if (size <= 128) return { heads: 8, sectorsPerTrack: 32 };
	if (size <= 256) return { heads: 16, sectorsPerTrack: 32 };
	if (size <= 504) return { heads: 16, sectorsPerTrack: 63 };
	if (size <= 1008) return { heads: 32, sectorsPerTrack: 63 };
	if (size <= 2016) return { heads: 64, sectorsPerTrack: 63 };
	if (size <= 4032) return { heads: 128, sectorsPerTrack: 63 };
	return { heads: 255, sectorsPerTrack: 63 };
}
