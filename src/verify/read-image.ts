import { elementAt } from "../binary/element-at.ts";
import { inTurns } from "../binary/turns.ts";
import type { TarEntry } from "../formats/tar/entry.ts";
import type { DroppedXattrs, XattrDropper } from "../layers/drop-xattrs.ts";
import type { IsExcluded } from "../layers/filter.ts";
import { missingBodies, type ReadLayer, readAgain, type SettledTree, settleImage } from "../layers/image-pass.ts";
import { type ContentSink, readLayer } from "../layers/read-layer.ts";
import type { OciImage } from "../oci/open-image.ts";
import type { BodyId, DirectoryInode, FileInode, Timestamp } from "../tree/inode.ts";
import { DigestTable } from "./digest-table.ts";
import { digestContents } from "./digested-contents.ts";
import type { ReadLoaders } from "./medium-check.ts";

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
	/** Reads the image that boot loaders come from; absent where that is this one. */
	readonly readLoaders?: ReadLoaders | undefined;
	/** No layer has an entry for it, so that its time is the converter's choice. */
	hasOwnTime(directory: DirectoryInode): boolean;
}

interface ReadImageOptions {
	readonly isExcluded: IsExcluded;
	/** Absent: every attribute is expected. */
	readonly dropXattrs?: XattrDropper | undefined;
	/** Everything is expected to belong to root. */
	readonly allRoot?: boolean | undefined;
	readonly signal?: AbortSignal | undefined;
}

/** Reads an image as `build` does, and digests contents in place of storing them. Throws as layers and merger do. */
export async function readImageTree(
	image: Pick<OciImage, "layers"> & Partial<Pick<OciImage, "treeLimits">>,
	{ isExcluded, dropXattrs, allRoot, signal }: ReadImageOptions,
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
	return {
		root: settled.kept,
		whole: settled.whole,
		excludedPaths: settled.excludedPaths,
		droppedXattrs: settled.droppedXattrs,
		notes: settled.losses,
		digestOf: ({ layer, entry }) => elementAt(digests, layer).get(entry),
		hasOwnTime: ({ mtime }) => mtime !== createdParentTime,
	};
}
