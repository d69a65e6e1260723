import { elementAt } from "../binary/element-at.ts";
import { inTurns, type Steps } from "../binary/turns.ts";
import type { TarEntry } from "../formats/tar/entry.ts";
import type { TreeLimits } from "../oci/image-limits.ts";
import type { Layer } from "../oci/layer.ts";
import type { BodyId, DirectoryInode, Timestamp } from "../tree/inode.ts";
import { TreeMerger } from "../tree/merge.ts";
import { inodesBelow } from "../tree/walk.ts";
import { givingToRoot } from "./all-root.ts";
import type { DroppedXattrs, XattrDropper } from "./drop-xattrs.ts";
import { type IsExcluded, leavingOut } from "./filter.ts";

/**
 * Goes through one layer, which counts from the bottom: asks `isNeeded` of every entry in the archive's order, and does what it is for with the contents of
 * those files that are. Resolves to what the archive says and no tree can hold.
 */
export type ReadLayer = (
	number: number,
	layer: Layer,
	isNeeded: (entry: TarEntry) => boolean,
) => Promise<readonly string[]>;

/**
 * One pass over an image's layers, bottom first in `layers`: from the top down, each once, as far down as they can matter. `merger` is told of every entry;
 * needed are the files that the tree will probably hold. Yields each layer's number and notes once the merger has it.
 */
export async function* mergingLayers(
	layers: readonly Layer[],
	merger: TreeMerger,
	read: ReadLayer,
	signal: AbortSignal | undefined,
): AsyncGenerator<{ readonly number: number; readonly notes: readonly string[] }> {
	for (const [number, layer] of [...layers.entries()].reverse()) {
		let notes: readonly string[] = [];
		const above = layers.findLastIndex((other) => isSameLayer(other, layer));
		if (above > number) merger.repeat(number, above);
		else {
			const merge = merger.layer(number, layer.digest);
			const found = await read(number, layer, (entry) => merge.entry(entry) === "store");
			notes = found.map((note) => `${layer.digest}: ${note}`);
			await inTurns(merge.finishing(), signal);
		}
		yield { number, notes };
		if (!merger.decidesAllBelow) continue;
		merger.skipRest();
		return;
	}
}

/** Whether one need not be read where the other was; one blob of which an image says two things is read twice, which tells what is wrong. */
export function isSameLayer(a: Layer, b: Layer): boolean {
	return a.digest === b.digest && a.diffId === b.diffId && a.compressedBytes === b.compressedBytes;
}

export interface ImageTreeOptions {
	readonly image: { readonly layers: readonly Layer[]; readonly treeLimits?: TreeLimits | undefined };
	/** Of directories that no layer has an entry for. */
	readonly createdParentTime: Timestamp;
	readonly isExcluded: IsExcluded;
	/** Absent: every attribute is kept. */
	readonly dropXattrs?: XattrDropper | undefined;
	/** Everything belongs to user and group 0. Default: to whom layers say. */
	readonly allRoot?: boolean | undefined;
	readonly signal?: AbortSignal | undefined;
	/** Told once no layer is left, before the tree is settled. */
	readonly onMerged?: (() => void) | undefined;
}

/** The tree of an image, before and after what its root file system leaves out. They share inodes. */
export interface SettledTree {
	readonly whole: DirectoryInode;
	readonly kept: DirectoryInode;
	readonly excludedPaths: number;
	readonly droppedXattrs: readonly DroppedXattrs[];
	/** Inodes that were given to root; undefined where that was not asked for. */
	readonly givenToRoot: number | undefined;
	/** What layers hold and no tree can, one sentence each. */
	readonly losses: readonly string[];
	/** What layers leave open and was chosen. */
	readonly notes: readonly string[];
}

/** All that is done to a tree, in this order: merge the layers, settle, leave paths out, drop extended attributes, give everything to root. Rejects as `read` and `TreeMerger` do. */
export async function settleImage(
	{ image, isExcluded, dropXattrs, allRoot, signal, onMerged, createdParentTime }: ImageTreeOptions,
	read: ReadLayer,
): Promise<SettledTree> {
	const { layers, treeLimits } = image;
	const merger = new TreeMerger({ layerCount: layers.length, createdParentTime, ...treeLimits });
	const losses: string[] = [];
	for await (const { notes } of mergingLayers(layers, merger, read, signal)) losses.push(...notes);
	onMerged?.();
	const { root: whole, notes } = await inTurns(merger.settling(), signal);
	const { root: kept, excludedPaths } = await inTurns(leavingOut(whole, isExcluded), signal);
	const droppedXattrs = dropXattrs === undefined ? [] : await inTurns(dropXattrs(kept), signal);
	const givenToRoot = allRoot === true ? await inTurns(givingToRoot(kept), signal) : undefined;
	return { whole, kept, excludedPaths, droppedXattrs, givenToRoot, losses, notes };
}

/** The contents below `root` that `isThere` does not know: those that a symbolic link led elsewhere than their path says. An inode a step. */
export function* missingBodies(root: DirectoryInode, isThere: (body: BodyId) => boolean): Steps<BodyId[]> {
	const missing: BodyId[] = [];
	for (const inode of inodesBelow(root)) {
		if (inode.type === "file" && !isThere(inode)) missing.push(inode);
		yield;
	}
	return missing;
}

/** Goes through layers again, the top one first and each once, for contents that were passed over. */
export async function readAgain(layers: readonly Layer[], missing: Iterable<BodyId>, read: ReadLayer): Promise<void> {
	const wanted = new Map<number, Set<number>>();
	for (const { layer, entry } of missing) wanted.set(layer, (wanted.get(layer) ?? new Set()).add(entry));
	for (const [number, entries] of [...wanted].sort(([a], [b]) => b - a)) {
		await read(number, elementAt(layers, number), ({ index }) => entries.has(index));
	}
}
