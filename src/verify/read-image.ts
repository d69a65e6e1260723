import type { ByteString } from "../binary/byte-string.ts";
import { inPieces, inTurns, type Steps, Turns } from "../binary/turns.ts";
import type { TarEntry, TarHandler } from "../formats/tar/entry.ts";
import { TarReader } from "../formats/tar/reader.ts";
import type { DroppedXattrs, XattrDropper } from "../layers/drop-xattrs.ts";
import { leavingOut } from "../layers/filter.ts";
import type { OciImage } from "../oci/open-image.ts";
import type { BodyId, DirectoryInode, FileInode, Timestamp } from "../tree/inode.ts";
import { TreeMerger } from "../tree/merge.ts";
import { inodesBelow } from "../tree/walk.ts";
import { ContentDigest } from "./content-digest.ts";
import { DigestTable } from "./digest-table.ts";

/** What a squashfs made of an image has to hold. */
export interface ExpectedTree {
	/** Without what is excluded. */
	readonly root: DirectoryInode;
	/** Before anything was left out; undefined where only the squashfs is to be compared. */
	readonly whole?: DirectoryInode | undefined;
	readonly excludedPaths: number;
	/** What `dropXattrs` took away. */
	readonly droppedXattrs: readonly DroppedXattrs[];
	/** What the layers say about files and the tree cannot hold. */
	readonly notes: readonly string[];
	/** A `ContentDigest`. */
	digestOf(file: FileInode): string | undefined;
	/** No layer has an entry for it, so that its time is the converter's choice. */
	hasOwnTime(directory: DirectoryInode): boolean;
}

export interface ReadImageOptions {
	readonly isExcluded: (path: ByteString) => boolean;
	/** Absent: every attribute is expected. */
	readonly dropXattrs?: XattrDropper | undefined;
	readonly signal?: AbortSignal | undefined;
}

/** Merges an image's layers as `build` does, and digests contents in place of storing them. Throws as layers and merger do. */
export async function readImageTree(
	image: Pick<OciImage, "layers"> & Partial<Pick<OciImage, "treeLimits">>,
	{ isExcluded, dropXattrs, signal }: ReadImageOptions,
): Promise<ExpectedTree> {
	const { layers } = image;
	// One object marks the directories that got it.
	const createdParentTime: Timestamp = { seconds: 0, nanoseconds: 1 };
	const merger = new TreeMerger({ layerCount: layers.length, createdParentTime, ...image.treeLimits });
	const digests = layers.map(() => new DigestTable());
	const notes: string[] = [];
	const readLayer = async (index: number, wants: (entry: TarEntry) => boolean): Promise<string[]> => {
		const layer = layers[index];
		const found = digests[index];
		if (layer === undefined || found === undefined) return [];
		const reader = new TarReader(digester(found, wants), { origin: layer.digest });
		const turns = new Turns(signal);
		for await (const chunk of layer.tar(signal)) await inPieces(chunk, turns, (piece) => reader.push(piece));
		reader.finish();
		return reader.notes;
	};
	for (let index = layers.length - 1; index >= 0; index--) {
		const merge = merger.layer(index, layers[index]?.digest);
		notes.push(...(await readLayer(index, (entry) => merge.entry(entry) === "store")));
		await inTurns(merge.finishing(), signal);
	}
	const merged = await inTurns(merger.settling(), signal);
	const { root, excludedPaths } = await inTurns(leavingOut(merged.root, isExcluded), signal);
	const whole = merged.root;
	const droppedXattrs = dropXattrs === undefined ? [] : await inTurns(dropXattrs(root), signal);
	const missing = await inTurns(missingEntries(whole, digests), signal);
	for (const [index, entries] of missing.entries())
		if (entries.size > 0) await readLayer(index, (entry) => entries.has(entry.index));
	return {
		root,
		whole,
		excludedPaths,
		droppedXattrs,
		notes,
		digestOf: (file) => digest(file.body),
		hasOwnTime: ({ mtime }) => mtime !== createdParentTime,
	};

	function digest({ layer, entry }: BodyId): string | undefined {
		return digests[layer]?.get(entry);
	}
}

/** Of each layer, the entries whose contents the tree needs and nobody has read; an inode a step. */
function* missingEntries(root: DirectoryInode, digests: readonly DigestTable[]): Steps<readonly ReadonlySet<number>[]> {
	const missing = digests.map(() => new Set<number>());
	for (const inode of inodesBelow(root)) {
		if (inode.type === "file" && digests[inode.body.layer]?.has(inode.body.entry) !== true)
			missing[inode.body.layer]?.add(inode.body.entry);
		yield;
	}
	return missing;
}

function digester(found: DigestTable, wants: (entry: TarEntry) => boolean): TarHandler {
	let current: ContentDigest | undefined;
	let index = 0;
	return {
		entry(entry) {
			index = entry.index;
			current = wants(entry) && entry.type === "file" ? new ContentDigest() : undefined;
		},
		data: (bytes) => current?.update(bytes),
		hole: (byteLength) => current?.hole(byteLength),
		endEntry() {
			if (current !== undefined) found.set(index, Buffer.from(current.finish(), "hex"));
			current = undefined;
		},
	};
}
