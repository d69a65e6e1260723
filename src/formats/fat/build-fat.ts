import { type ByteString, compareByteStrings } from "../../binary/byte-string.ts";
import { alignUp, DISK_BLOCK_BYTES, divideCeil, GiB, MiB } from "../../binary/units.ts";
import { assert, Oci2isoError } from "../../errors.ts";
import type { Timestamp } from "../../tree/inode.ts";
import { BACKUP_BOOT_SECTOR, encodeBootSector, encodeFsInfo, FS_INFO_SECTOR } from "./boot-sector.ts";
import { encodeDotEntries, encodeEntry, slotCount } from "./directory-entry.ts";
import { dosTime } from "./dos-time.ts";
import {
	clusterBytes,
	DIRECTORY_ENTRY_BYTES,
	FAT_COPIES,
	type FatGeometry,
	FIRST_CLUSTER,
	geometryOf,
} from "./geometry.ts";
import { type FatName, fatNames } from "./name.ts";

export interface FatDirectory {
	readonly kind: "directory";
	readonly entries: ReadonlyMap<ByteString, FatNode>;
	/** Absent: `FatOptions.timestamp`. */
	readonly mtime?: Timestamp | undefined;
}

interface FatFile {
	readonly kind: "file";
	/** At most 2^32 - 1 bytes. */
	readonly content: Uint8Array;
	readonly mtime?: Timestamp | undefined;
}

export type FatNode = FatDirectory | FatFile;

export interface FatOptions {
	/** 0 to 2^32 - 1. */
	readonly volumeId: number;
	/** The image is at least this long, and longer, by whole MiB, where the content needs it. Default 20 MiB. */
	readonly minimumBytes?: number | undefined;
	/** For what has no time of its own. */
	readonly timestamp: Timestamp;
}

export interface FatImage {
	readonly geometry: FatGeometry;
	readonly byteLength: number;
	/** The image in order, in chunks of at most 1 MiB or one file, to be read only; together `byteLength` bytes. */
	chunks(): Iterable<Uint8Array>;
}

const DEFAULT_ESP_BYTES = 20 * MiB;
const MAX_IMAGE_BYTES = 8 * GiB - 1 * MiB;
const MAX_FILE_BYTES = 2 ** 32 - 1;
const MAX_DIRECTORY_SLOTS = 65_536;

/**
 * Lays out a FAT file system as `mkfs.fat` would make it for the length, filled with `root`: FAT16, or FAT32 from 512 MiB on
 * or where the root directory has more than 512 slots. Entries are in byte order of their names, files follow each other.
 * Throws `Oci2isoError` FAT_NAME, FAT_NAME_COLLISION, FAT_TOO_LARGE.
 */
export function buildFat(root: FatDirectory, options: FatOptions): FatImage {
	const plan = planDirectory(root);
	const geometry = chooseGeometry(plan, options.minimumBytes ?? DEFAULT_ESP_BYTES);
	const allocation = new Allocation(geometry, options.timestamp);
	allocation.allocate(plan);
	return {
		geometry,
		byteLength: geometry.byteLength,
		chunks: () => imageChunks(geometry, options.volumeId, allocation),
	};
}

/** The directory that holds the files at these relative paths; directories have no time of their own. */
export function fatDirectoryOf(
	files: Iterable<{ readonly path: ByteString; readonly content: Uint8Array; readonly mtime?: Timestamp | undefined }>,
): FatDirectory {
	type Open = Map<ByteString, FatNode>;
	const root: Open = new Map();
	for (const { path, content, mtime } of files) {
		const names = path.split("/");
		const last = names.pop() ?? "";
		let directory: Open = root;
		for (const name of names) {
			const next = directory.get(name) ?? { kind: "directory", entries: new Map() };
			assert(next.kind === "directory", `${path} is below a file`);
			directory.set(name, next);
			directory = next.entries as Open;
		}
		assert(!directory.has(last), `${path} is given twice`);
		directory.set(last, { kind: "file", content, mtime });
	}
	return { kind: "directory", entries: root };
}

interface PlannedDirectory {
	readonly mtime: Timestamp | undefined;
	/** In byte order of the names. */
	readonly children: readonly { readonly name: FatName; readonly node: FatFile | PlannedDirectory }[];
	/** Directory slots, without "." and "..". */
	readonly slots: number;
}

function planDirectory(directory: FatDirectory): PlannedDirectory {
	const sorted = [...directory.entries].sort(([a], [b]) => compareByteStrings(a, b));
	const names = fatNames(sorted.map(([name]) => name));
	const children = sorted.map(([entryName, node]) => {
		const name = names.get(entryName);
		assert(name !== undefined, "a directory entry has no FAT name");
		if (node.kind === "file" && node.content.byteLength > MAX_FILE_BYTES)
			throw tooLarge(`${entryName} has ${node.content.byteLength} bytes`, `at most ${MAX_FILE_BYTES} bytes per file`);
		return { name, node: node.kind === "file" ? node : planDirectory(node) };
	});
	const slots = children.reduce((sum, { name }) => sum + slotCount(name), 0);
	if (slots + 2 > MAX_DIRECTORY_SLOTS)
		throw tooLarge(`a directory has ${slots} slots`, `at most ${MAX_DIRECTORY_SLOTS}`);
	return { mtime: directory.mtime, children, slots };
}

function tooLarge(what: string, expected: string): Oci2isoError {
	return new Oci2isoError({ code: "FAT_TOO_LARGE", kind: "contract", what, where: "EFI system partition", expected });
}

function chooseGeometry(root: PlannedDirectory, minimumBytes: number): FatGeometry {
	const needsFat32 = root.slots > (geometryOf(DEFAULT_ESP_BYTES)?.rootEntries ?? 0);
	const start = Math.max(minimumBytes, clustersNeeded(root, DISK_BLOCK_BYTES) * DISK_BLOCK_BYTES);
	for (let byteLength = alignUp(start, MiB); byteLength <= MAX_IMAGE_BYTES; byteLength += MiB) {
		const geometry = geometryOf(byteLength, needsFat32 ? "FAT32" : undefined);
		if (geometry === undefined) continue;
		const rootClusters = geometry.type === "FAT32" ? directoryClusters(root, clusterBytes(geometry), true) : 0;
		if (rootClusters + clustersNeeded(root, clusterBytes(geometry)) <= geometry.clusterCount) return geometry;
	}
	throw tooLarge("the content does not fit", `at most ${MAX_IMAGE_BYTES} bytes`);
}

/** For everything below `directory`, not for itself. */
function clustersNeeded(directory: PlannedDirectory, bytesPerCluster: number): number {
	return directory.children.reduce((sum, { node }) => {
		if ("children" in node)
			return sum + directoryClusters(node, bytesPerCluster, false) + clustersNeeded(node, bytesPerCluster);
		return sum + divideCeil(node.content.byteLength, bytesPerCluster);
	}, 0);
}

function directoryClusters(directory: PlannedDirectory, bytesPerCluster: number, isRoot: boolean): number {
	return Math.max(divideCeil((directory.slots + (isRoot ? 0 : 2)) * DIRECTORY_ENTRY_BYTES, bytesPerCluster), 1);
}

/** Consecutive clusters and what is in them. */
interface Extent {
	readonly firstCluster: number;
	readonly clusterCount: number;
	/** At most as long as the clusters; what is missing is zero. */
	readonly content: Uint8Array;
}

/** Gives out clusters in order. Invariant: `extents` are contiguous from the first cluster up to `#next`. */
class Allocation {
	readonly extents: Extent[] = [];
	/** FAT16: the root directory, which has its own place. */
	fixedRoot: Uint8Array = new Uint8Array();
	readonly #geometry: FatGeometry;
	readonly #timestamp: Timestamp;
	#next = FIRST_CLUSTER;

	constructor(geometry: FatGeometry, timestamp: Timestamp) {
		this.#geometry = geometry;
		this.#timestamp = timestamp;
	}

	get nextFreeCluster(): number {
		return this.#next;
	}

	allocate(root: PlannedDirectory): void {
		if (this.#geometry.type === "FAT16") this.fixedRoot = this.#children(root, 0);
		else this.#directory(root, undefined);
	}

	/** Returns the first cluster. `parentCluster` is 0 below the root and undefined for the root itself. */
	#directory(directory: PlannedDirectory, parentCluster: number | undefined): number {
		const isRoot = parentCluster === undefined;
		const own = this.#next;
		const index = this.extents.length;
		const clusterCount = directoryClusters(directory, clusterBytes(this.#geometry), isRoot);
		const extent = { firstCluster: own, clusterCount, content: new Uint8Array() };
		this.extents.push(extent);
		this.#next += clusterCount;
		const time = dosTime(directory.mtime ?? this.#timestamp);
		const dots = isRoot ? [] : [encodeDotEntries(own, parentCluster, time)];
		const content = Buffer.concat([...dots, this.#children(directory, isRoot ? 0 : own)]);
		this.extents[index] = { ...extent, content };
		return own;
	}

	#children(directory: PlannedDirectory, ownCluster: number): Buffer {
		const entries = directory.children.map(({ name, node }) => {
			const time = dosTime(node.mtime ?? this.#timestamp);
			if ("children" in node) {
				const firstCluster = this.#directory(node, ownCluster);
				return encodeEntry(name, { isDirectory: true, firstCluster, fileBytes: 0, time });
			}
			return encodeEntry(name, {
				isDirectory: false,
				firstCluster: this.#file(node.content),
				fileBytes: node.content.byteLength,
				time,
			});
		});
		return Buffer.concat(entries);
	}

	#file(content: Uint8Array): number {
		const clusterCount = divideCeil(content.byteLength, clusterBytes(this.#geometry));
		if (clusterCount === 0) return 0;
		const firstCluster = this.#next;
		this.extents.push({ firstCluster, clusterCount, content });
		this.#next += clusterCount;
		return firstCluster;
	}
}

function* imageChunks(geometry: FatGeometry, volumeId: number, allocation: Allocation): Iterable<Uint8Array> {
	let written = 0;
	const zeros = Buffer.alloc(MiB);
	const padTo = function* (end: number): Iterable<Uint8Array> {
		for (; written < end; written += Math.min(end - written, MiB)) yield zeros.subarray(0, end - written);
	};
	const emit = function* (bytes: Uint8Array): Iterable<Uint8Array> {
		if (bytes.byteLength > 0) yield bytes;
		written += bytes.byteLength;
	};
	yield* emit(reservedArea(geometry, volumeId, allocation));
	const table = allocationTable(geometry, allocation);
	for (let copy = 0; copy < FAT_COPIES; copy++) yield* emit(table);
	yield* emit(allocation.fixedRoot);
	const dataStartBytes =
		(geometry.reservedSectors + FAT_COPIES * geometry.fatSectors) * DISK_BLOCK_BYTES +
		geometry.rootEntries * DIRECTORY_ENTRY_BYTES;
	for (const { firstCluster, content } of allocation.extents) {
		yield* padTo(dataStartBytes + (firstCluster - FIRST_CLUSTER) * clusterBytes(geometry));
		yield* emit(content);
	}
	yield* padTo(geometry.byteLength);
}

function reservedArea(geometry: FatGeometry, volumeId: number, allocation: Allocation): Buffer {
	const area = Buffer.alloc(geometry.reservedSectors * DISK_BLOCK_BYTES);
	const bootSector = encodeBootSector(geometry, volumeId);
	area.set(bootSector, 0);
	if (geometry.type === "FAT16") return area;
	const used = allocation.nextFreeCluster - FIRST_CLUSTER;
	const info = encodeFsInfo(geometry.clusterCount - used, allocation.nextFreeCluster - 1);
	area.set(info, FS_INFO_SECTOR * DISK_BLOCK_BYTES);
	area.set(bootSector, BACKUP_BOOT_SECTOR * DISK_BLOCK_BYTES);
	area.set(info, (BACKUP_BOOT_SECTOR + FS_INFO_SECTOR) * DISK_BLOCK_BYTES);
	return area;
}

function allocationTable(geometry: FatGeometry, allocation: Allocation): Buffer {
	const table = Buffer.alloc(geometry.fatSectors * DISK_BLOCK_BYTES);
	const isFat32 = geometry.type === "FAT32";
	const endOfChain = isFat32 ? 0x0fffffff : 0xffff;
	const put = (cluster: number, value: number): void => {
		if (isFat32) table.writeUInt32LE(value, cluster * 4);
		else table.writeUInt16LE(value, cluster * 2);
	};
	put(0, endOfChain & ~7); // the media byte in the low bits
	put(1, endOfChain);
	for (const { firstCluster, clusterCount } of allocation.extents) {
		const last = firstCluster + clusterCount - 1;
		for (let cluster = firstCluster; cluster < last; cluster++) put(cluster, cluster + 1);
		put(last, endOfChain);
	}
	return table;
}
