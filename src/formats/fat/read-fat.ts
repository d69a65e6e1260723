import type { ByteSource } from "../../binary/byte-source.ts";
import { type ByteString, displayName } from "../../binary/byte-string.ts";
import { DISK_BLOCK_BYTES, divideCeil, GiB, MiB } from "../../binary/units.ts";
import { corrupt } from "../../errors.ts";
import { type BootSector, decodeBootSector } from "./boot-sector.ts";
import { type ReadEntry, readEntries } from "./directory-reader.ts";
import { clusterBytes, DIRECTORY_ENTRY_BYTES, dataStart, type FatGeometry, FIRST_CLUSTER } from "./geometry.ts";

export interface FatReadFile {
	readonly kind: "file";
	readonly byteLength: number;
	readonly mtimeSeconds: number;
	/** The whole content. Throws UNEXPECTED_END where the source is shorter than its boot sector says. */
	read(): Promise<Uint8Array>;
}

export interface FatReadDirectory {
	readonly kind: "directory";
	readonly mtimeSeconds: number | undefined;
	readonly entries: ReadonlyMap<ByteString, FatReadFile | FatReadDirectory>;
}

export interface FatVolume extends BootSector {
	readonly root: FatReadDirectory;
	/** Clusters that no chain uses. */
	readonly freeClusters: number;
}

const MAX_VOLUME_BYTES = 8 * GiB;
const MAX_TABLE_BYTES = 64 * MiB;
const MAX_ENTRIES = 100_000;
const MAX_DIRECTORY_BYTES = 65_536 * DIRECTORY_ENTRY_BYTES;
const MAX_DEPTH = 32;

/**
 * Reads a FAT volume and checks it on the way: equal tables, whole chains as long as their files, no cluster in two
 * chains or in none, well-formed directories and long names. Throws `Oci2isoError` FAT_BOOT_SECTOR, FAT_TABLES, FAT_CHAIN,
 * FAT_DIRECTORY, FAT_TOO_LARGE, UNEXPECTED_END.
 */
export async function readFat(source: ByteSource): Promise<FatVolume> {
	if (source.byteLength > MAX_VOLUME_BYTES)
		throw corrupt(
			"FAT_TOO_LARGE",
			`the volume has ${source.byteLength} bytes`,
			"FAT volume",
			`at most ${MAX_VOLUME_BYTES}`,
		);
	const boot = decodeBootSector(await source.read(0, DISK_BLOCK_BYTES), source.byteLength);
	const chains = new ClusterChains(boot.geometry, await readTable(source, boot.geometry));
	const reader = new VolumeReader(source, boot, chains);
	const root = await reader.readRoot();
	return { ...boot, root, freeClusters: chains.countFree() };
}

async function readTable(source: ByteSource, geometry: FatGeometry): Promise<Buffer> {
	const tableBytes = geometry.fatSectors * DISK_BLOCK_BYTES;
	const start = geometry.reservedSectors * DISK_BLOCK_BYTES;
	if (tableBytes > MAX_TABLE_BYTES)
		throw corrupt("FAT_TOO_LARGE", `the tables have ${tableBytes} bytes`, "FAT volume", `at most ${MAX_TABLE_BYTES}`);
	const first = Buffer.from(await source.read(start, tableBytes));
	const second = await source.read(start + tableBytes, tableBytes);
	if (!first.equals(second)) throw corrupt("FAT_TABLES", "the two tables differ", "FAT volume", "equal tables");
	return first;
}

/** Follows chains, and remembers which clusters they use. */
class ClusterChains {
	readonly #geometry: FatGeometry;
	readonly #table: Buffer;
	readonly #used: Uint8Array;

	constructor(geometry: FatGeometry, table: Buffer) {
		this.#geometry = geometry;
		this.#table = table;
		this.#used = new Uint8Array(geometry.clusterCount + FIRST_CLUSTER);
	}

	/** The clusters from `first` to the end of its chain, at most `maxClusters`. */
	follow(first: number, maxClusters: number, where: string): number[] {
		const fail = (what: string) => corrupt("FAT_CHAIN", what, where, "a chain of clusters of its own");
		const clusters: number[] = [];
		const { least, most } = this.#endMarks();
		for (let cluster = first; cluster < least || cluster > most; cluster = this.#next(cluster)) {
			if (cluster < FIRST_CLUSTER || cluster >= this.#used.length) throw fail(`cluster ${cluster} does not exist`);
			if (this.#used[cluster] === 1) throw fail(`cluster ${cluster} is used twice`);
			if (clusters.length === maxClusters) throw fail(`the chain is longer than ${maxClusters} clusters`);
			this.#used[cluster] = 1;
			clusters.push(cluster);
		}
		return clusters;
	}

	/** Throws FAT_CHAIN where the table has a cluster that no chain reaches. */
	countFree(): number {
		let free = 0;
		for (let cluster = FIRST_CLUSTER; cluster < this.#used.length; cluster++) {
			if (this.#used[cluster] === 1) continue;
			if (this.#next(cluster) !== 0)
				throw corrupt("FAT_CHAIN", `cluster ${cluster} is allocated but in no file`, "FAT volume", "a free cluster");
			free++;
		}
		return free;
	}

	#next(cluster: number): number {
		switch (this.#geometry.type) {
			case "FAT32":
				return this.#table.readUInt32LE(cluster * 4) & 0x0fffffff;
			case "FAT16":
				return this.#table.readUInt16LE(cluster * 2);
			case "FAT12":
				// Two entries share three bytes.
				return (this.#table.readUInt16LE(Math.floor(cluster * 1.5)) >> (4 * (cluster % 2))) & 0xfff;
		}
	}

	#endMarks(): { readonly least: number; readonly most: number } {
		const most = { FAT12: 0xfff, FAT16: 0xffff, FAT32: 0x0fffffff }[this.#geometry.type];
		return { least: most - 7, most };
	}
}

class VolumeReader {
	readonly #source: ByteSource;
	readonly #boot: BootSector;
	readonly #chains: ClusterChains;
	#entryCount = 0;

	constructor(source: ByteSource, boot: BootSector, chains: ClusterChains) {
		this.#source = source;
		this.#boot = boot;
		this.#chains = chains;
	}

	async readRoot(): Promise<FatReadDirectory> {
		const { geometry, rootCluster } = this.#boot;
		const bytes =
			rootCluster === undefined
				? await this.#source.read(
						dataStart(geometry) * DISK_BLOCK_BYTES - geometry.rootEntries * DIRECTORY_ENTRY_BYTES,
						geometry.rootEntries * DIRECTORY_ENTRY_BYTES,
					)
				: await this.#readDirectoryBytes(rootCluster, "/");
		return this.#directory(readEntries(bytes, "/"), undefined, 0, "", 0);
	}

	async #readDirectoryBytes(firstCluster: number, where: string): Promise<Uint8Array> {
		const maxClusters = divideCeil(MAX_DIRECTORY_BYTES, clusterBytes(this.#boot.geometry));
		const clusters = this.#chains.follow(firstCluster, maxClusters, where);
		return this.#readClusters(clusters, clusters.length * clusterBytes(this.#boot.geometry));
	}

	/** `own` is 0 for the root, as ".." names it. */
	async #directory(
		read: readonly ReadEntry[],
		mtimeSeconds: number | undefined,
		own: number,
		path: string,
		depth: number,
	): Promise<FatReadDirectory> {
		const entries = new Map<ByteString, FatReadFile | FatReadDirectory>();
		const folded = new Set<string>();
		for (const entry of read) {
			const where = `${path}/${displayName(entry.name)}`;
			const fail = (what: string, expected: string) => corrupt("FAT_DIRECTORY", what, where, expected);
			if (++this.#entryCount > MAX_ENTRIES) throw fail("there are too many entries", `at most ${MAX_ENTRIES}`);
			if (entry.name === "" || /[/\0]/.test(entry.name)) throw fail("an entry has no proper name", "a file name");
			if (entry.name === "." || entry.name === "..") throw fail("the entry is out of place", "it first in a directory");
			const key = entry.name.toUpperCase();
			if (folded.has(key)) throw fail("the name occurs twice", "distinct names");
			folded.add(key);
			entries.set(
				entry.name,
				await (entry.isDirectory ? this.#subdirectory(entry, own, where, depth + 1) : this.#file(entry, where)),
			);
		}
		return { kind: "directory", mtimeSeconds, entries };
	}

	async #subdirectory(entry: ReadEntry, parent: number, where: string, depth: number): Promise<FatReadDirectory> {
		const fail = (what: string, expected: string) => corrupt("FAT_DIRECTORY", what, where, expected);
		if (depth > MAX_DEPTH) throw fail("directories are nested too deep", `at most ${MAX_DEPTH}`);
		if (entry.fileBytes !== 0) throw fail(`the directory has a size of ${entry.fileBytes}`, "0");
		const [dot, dotDot, ...rest] = readEntries(await this.#readDirectoryBytes(entry.firstCluster, where), where);
		if (dot?.name !== "." || !dot.isDirectory || dot.firstCluster !== entry.firstCluster)
			throw fail('the first entry is not "."', "one that names the directory itself");
		if (dotDot?.name !== ".." || !dotDot.isDirectory || dotDot.firstCluster !== parent)
			throw fail('the second entry is not ".."', "one that names the parent");
		return this.#directory(rest, entry.mtimeSeconds, entry.firstCluster, where, depth);
	}

	async #file(entry: ReadEntry, where: string): Promise<FatReadFile> {
		const expected = divideCeil(entry.fileBytes, clusterBytes(this.#boot.geometry));
		const isEmpty = entry.fileBytes === 0;
		if (isEmpty && entry.firstCluster !== 0)
			throw corrupt("FAT_CHAIN", "an empty file has a cluster", where, "cluster number 0");
		const clusters = isEmpty ? [] : this.#chains.follow(entry.firstCluster, expected, where);
		if (clusters.length !== expected)
			throw corrupt("FAT_CHAIN", `the chain has ${clusters.length} clusters`, where, `${expected}, as the size says`);
		return {
			kind: "file",
			byteLength: entry.fileBytes,
			mtimeSeconds: entry.mtimeSeconds,
			read: () => this.#readClusters(clusters, entry.fileBytes),
		};
	}

	/** Reads consecutive clusters at once. */
	async #readClusters(clusters: readonly number[], byteLength: number): Promise<Uint8Array> {
		const { geometry } = this.#boot;
		const content = Buffer.alloc(byteLength);
		for (let index = 0; index < clusters.length; ) {
			let end = index + 1;
			while (end < clusters.length && clusters[end] === (clusters[end - 1] ?? 0) + 1) end++;
			const at = index * clusterBytes(geometry);
			const sector = dataStart(geometry) + ((clusters[index] ?? 0) - FIRST_CLUSTER) * geometry.sectorsPerCluster;
			const length = Math.min(byteLength - at, (end - index) * clusterBytes(geometry));
			content.set(await this.#source.read(sector * DISK_BLOCK_BYTES, length), at);
			index = end;
		}
		return content;
	}
}
