import { type ByteString, compareByteStrings, displayName } from "../binary/byte-string.ts";
import { sorting } from "../binary/sorting.ts";
import type { Steps } from "../binary/turns.ts";
import { storedBytes } from "../content/block-size.ts";
import type { FileLayout } from "../content/file-layout.ts";
import type { Content, StoredFile } from "../content/stored-data.ts";
import type { DirectoryInode, FileInode, Inode } from "../tree/inode.ts";
import { inodesBelow } from "../tree/walk.ts";

/** What a file or directory takes in the root file system; all but counts in bytes. */
export interface DiskUsage {
	/** Its last component, for people. */
	readonly name: string;
	/** Of its data blocks, and of the fragment blocks that it shares its part by length. */
	readonly storedBytes: number;
	/** Before compression. */
	readonly contentBytes: number;
	/** Names of regular files. */
	readonly files: number;
	/** Contents that are stored elsewhere already: duplicates, further hard links. */
	readonly sharedBytes: number;
	/** The larger ones below it, largest first; what is missing in the sum are others. */
	readonly children: readonly DiskUsage[];
}

export interface LayerUsage extends DiskUsage {
	/** From the bottom, from 0. */
	readonly layer: number;
}

/** Where contents are, as the writer of a root file system knows it. */
export interface StoredContents {
	stored(file: FileInode): StoredFile | undefined;
	layoutOf(file: StoredFile): FileLayout;
}

/** What is below this share of everything is not told apart, so that the answer is small whatever the image. */
const LEAST_SHARE = 1 / 4096;
/** Directories below each other that are told apart. */
const MAX_DEPTH = 12;

/**
 * What each layer's directories and files take, top layer first. A content that several files have counts for the uppermost layer that has it, which is read
 * first, and there for its first path. Layers' sums come to what the contents of `root` take, to the byte. An inode a step.
 */
export function* measuringUsage(root: DirectoryInode, contents: StoredContents): Steps<LayerUsage[]> {
	const { owners, fragments, totalBytes } = yield* surveying(root, contents);
	const leastBytes = Math.max(1, totalBytes * LEAST_SHARE);
	const open: OpenDirectory[] = [yield* opening("", root)];
	const finished = new Map<number, Tally>();
	for (let directory = open.at(-1); directory !== undefined; directory = open.at(-1)) {
		yield;
		const { pending, byLayer, name } = directory;
		const next = pending.pop();
		if (next === undefined) {
			open.pop();
			const parent = open.at(-1);
			for (const [layer, tally] of byLayer) {
				tally.children.sort(bySize);
				if (parent === undefined) finished.set(layer, tally);
				else
					addTo(
						parent,
						layer,
						{ ...tally, name: displayName(name) },
						open.length <= MAX_DEPTH ? leastBytes : undefined,
					);
			}
			continue;
		}
		const [childName, inode] = next;
		if (inode.type === "directory") open.push(yield* opening(childName, inode));
		if (inode.type !== "file") continue;
		const stored = contents.stored(inode);
		if (stored === undefined) continue;
		const isOwner = owners.get(stored.content) === inode;
		if (isOwner) owners.delete(stored.content);
		const taken = isOwner ? takenBytes(stored, contents.layoutOf(stored), fragments) : 0;
		const tally = emptyTally(isOwner && taken >= leastBytes ? displayName(childName) : "");
		tally.files = 1;
		tally.storedBytes = taken;
		if (isOwner) tally.contentBytes = inode.byteLength;
		else tally.sharedBytes = inode.byteLength;
		addTo(directory, inode.layer, tally, open.length <= MAX_DEPTH ? leastBytes : undefined);
	}
	return [...finished]
		.sort(([a], [b]) => b - a)
		.map(([layer, { storedBytes, contentBytes, files, sharedBytes, children }]) => ({
			layer,
			name: "/",
			storedBytes,
			contentBytes,
			files,
			sharedBytes,
			children,
		}));
}

/** A fragment block, and what of it was given to nobody yet. */
interface OpenFragment {
	storedBytes: number;
	contentBytes: number;
}

interface Survey {
	/** The file that each content counts for. */
	readonly owners: Map<Content, FileInode>;
	/** By position. */
	readonly fragments: Map<number, OpenFragment>;
	readonly totalBytes: number;
}

function* surveying(root: DirectoryInode, contents: StoredContents): Steps<Survey> {
	const owners: Survey["owners"] = new Map();
	const fragments: Survey["fragments"] = new Map();
	let totalBytes = 0;
	for (const inode of inodesBelow(root)) {
		yield;
		if (inode.type !== "file" || inode.byteLength === 0) continue;
		const stored = contents.stored(inode);
		if (stored === undefined) continue;
		const owner = owners.get(stored.content);
		if (owner === undefined || inode.layer > owner.layer) owners.set(stored.content, inode);
		if (owner !== undefined) continue;
		const layout = contents.layoutOf(stored);
		totalBytes += stored.content.blocks.storedBytes;
		const { tail } = layout;
		if (tail === undefined) continue;
		const fragment = fragments.get(tail.position) ?? { storedBytes: storedBytes(tail.size), contentBytes: 0 };
		if (fragment.contentBytes === 0) {
			totalBytes += fragment.storedBytes;
			fragments.set(tail.position, fragment);
		}
		fragment.contentBytes += tailBytesOf(layout);
	}
	return { owners, fragments, totalBytes };
}

/** Of what is left of the fragment block the share of this tail: the last one has the rest. */
function takenBytes({ content }: StoredFile, layout: FileLayout, fragments: Survey["fragments"]): number {
	const blocks = content.blocks.storedBytes;
	const fragment = layout.tail && fragments.get(layout.tail.position);
	if (fragment === undefined) return blocks;
	const tailBytes = tailBytesOf(layout);
	const share = Math.round((fragment.storedBytes * tailBytes) / fragment.contentBytes);
	fragment.storedBytes -= share;
	fragment.contentBytes -= tailBytes;
	return blocks + share;
}

function tailBytesOf({ byteLength, blockBytes }: FileLayout): number {
	return byteLength % blockBytes;
}

type Writable<Type> = { -readonly [Key in keyof Type]: Type[Key] };
type Tally = Writable<Omit<DiskUsage, "children">> & { readonly children: DiskUsage[] };

interface OpenDirectory {
	readonly name: ByteString;
	/** The last one is next. */
	readonly pending: [name: ByteString, inode: Inode][];
	readonly byLayer: Map<number, Tally>;
}

function* opening(name: ByteString, { entries }: DirectoryInode): Steps<OpenDirectory> {
	const pending = yield* sorting(entries, ([a], [b]) => compareByteStrings(b, a));
	return { name, pending, byLayer: new Map() };
}

function emptyTally(name: string): Tally {
	return { name, storedBytes: 0, contentBytes: 0, files: 0, sharedBytes: 0, children: [] };
}

/** Told apart where it is large enough; otherwise the sums have it. */
function addTo({ byLayer }: OpenDirectory, layer: number, child: DiskUsage, leastBytes: number | undefined): void {
	const sums = byLayer.get(layer) ?? emptyTally("");
	byLayer.set(layer, sums);
	sums.storedBytes += child.storedBytes;
	sums.contentBytes += child.contentBytes;
	sums.files += child.files;
	sums.sharedBytes += child.sharedBytes;
	if (leastBytes !== undefined && child.storedBytes >= leastBytes) sums.children.push(child);
}

function bySize(a: DiskUsage, b: DiskUsage): number {
	return b.storedBytes - a.storedBytes;
}
