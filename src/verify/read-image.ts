import { elementAt } from "../binary/element-at.ts";
import { HeldBytes } from "../binary/held-bytes.ts";
import { inTurns } from "../binary/turns.ts";
import type { TarEntry } from "../formats/tar/entry.ts";
import type { DroppedXattrs, XattrDropper } from "../layers/drop-xattrs.ts";
import type { IsExcluded } from "../layers/filter.ts";
import { missingBodies, type ReadLayer, readAgain, type SettledTree, settleImage } from "../layers/image-pass.ts";
import { type ContentSink, keptContent, readLayer } from "../layers/read-layer.ts";
import type { Layer } from "../oci/layer.ts";
import type { OciImage } from "../oci/open-image.ts";
import type { SelinuxChoice } from "../selinux/choice.ts";
import { labelImage } from "../selinux/label-image.ts";
import { createImageTree } from "../tree/image-tree.ts";
import type { BodyId, DirectoryInode, FileInode, Timestamp } from "../tree/inode.ts";
import { DigestTable } from "./digest-table.ts";
import { digestContents } from "./digested-contents.ts";
import type { ReadLoaders } from "./medium-check.ts";

/** What a root file system made of an image has to hold. */
export interface ExpectedTree {
	/** Without what is excluded. */
	readonly root: DirectoryInode;
	/** Before anything was left out; undefined where only the root file system is to be compared. */
	readonly whole?: DirectoryInode | undefined;
	readonly excludedPaths: number;
	/** What `dropXattrs` took away. */
	readonly droppedXattrs: readonly DroppedXattrs[];
	/** What the layers say about files and the tree cannot hold. */
	readonly notes: readonly string[];
	/** A `ContentDigest`. */
	digestOf(file: FileInode): string | undefined;
	/** Reads the image that boot loaders come from; absent where that is this one. */
	readonly readLoaders?: ReadLoaders | undefined;
	/** No layer has an entry for it, so that its time is the converter's choice. */
	hasOwnTime(directory: DirectoryInode): boolean;
}

interface ReadImageOptions {
	readonly isExcluded: IsExcluded;
	/** Absent: every attribute is expected. */
	readonly dropXattrs?: XattrDropper | undefined;
	/** Labels that are expected. Absent: those of layers. */
	readonly selinux?: SelinuxChoice | undefined;
	/** `dropXattrs` takes labels. */
	readonly dropsLabels?: boolean | undefined;
	/** Everything is expected to belong to root. */
	readonly allRoot?: boolean | undefined;
	readonly signal?: AbortSignal | undefined;
}

/** Reads an image as `build` does, and digests contents in place of storing them. Throws as layers and merger do. */
export async function readImageTree(
	image: Pick<OciImage, "layers"> & Partial<Pick<OciImage, "treeLimits">>,
	{ isExcluded, dropXattrs, selinux, dropsLabels = false, allRoot, signal }: ReadImageOptions,
): Promise<ExpectedTree> {
	const { layers } = image;
	// One object marks the directories that got it.
	const createdParentTime: Timestamp = { seconds: 0, nanoseconds: 1 };
	const digests = layers.map(() => new DigestTable());
	const contents = digestContents();
	const read: ReadLayer = async (number, layer, isNeeded) => {
		const found = elementAt(digests, number);
		const sinkOf = (entry: TarEntry): ContentSink | undefined =>
			isNeeded(entry) ? contents.sink(entry.byteLength, (digest) => found.set(entry.index, digest)) : undefined;
		const notes = await readLayer(layer, sinkOf, { signal });
		contents.finish();
		return notes;
	};
	let settled: SettledTree;
	try {
		settled = await settleImage({ image, createdParentTime, isExcluded, dropXattrs, allRoot, signal }, read);
		const isThere = ({ layer, entry }: BodyId): boolean => elementAt(digests, layer).has(entry);
		await readAgain(layers, await inTurns(missingBodies(settled.whole, isThere), signal), read);
	} finally {
		contents.close();
	}
	const kept = new Map<FileInode, Uint8Array>();
	const { notes } = await labelImage({
		choice: selinux,
		tree: createImageTree(settled.whole, async (file) => kept.get(file) ?? new Uint8Array()),
		kept: settled.kept,
		dropsLabels,
		fetch: (files) => keepContents(layers, files, kept, signal),
		signal,
	});
	return {
		root: settled.kept,
		whole: settled.whole,
		excludedPaths: settled.excludedPaths,
		droppedXattrs: settled.droppedXattrs,
		notes: [...settled.losses, ...notes],
		digestOf: ({ layer, entry }) => elementAt(digests, layer).get(entry),
		hasOwnTime: ({ mtime }) => mtime !== createdParentTime,
	};
}

/** Reads layers once more for a few contents. */
function keepContents(
	layers: readonly Layer[],
	files: readonly FileInode[],
	kept: Map<FileInode, Uint8Array>,
	signal: AbortSignal | undefined,
): Promise<void> {
	const held = new HeldBytes();
	return readAgain(layers, files, async (number, layer, isNeeded) =>
		readLayer(
			layer,
			(entry) => {
				if (!isNeeded(entry)) return undefined;
				held.hold(entry.byteLength, layer.digest);
				return keptContent(entry.byteLength, (bytes) => {
					for (const file of files) if (file.layer === number && file.entry === entry.index) kept.set(file, bytes);
				});
			},
			{ signal },
		),
	);
}
