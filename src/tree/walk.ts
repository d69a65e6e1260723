import { type ByteString, compareByteStrings } from "../binary/byte-string.ts";
import type { DirectoryInode, Inode } from "./inode.ts";

/** One name in the tree. */
interface WalkedEntry {
	/** From the root, without leading slash: `usr/lib/x`; "" is the root itself. */
	readonly path: ByteString;
	readonly inode: Inode;
	/** Undefined for the root. */
	readonly parent: DirectoryInode | undefined;
}

/** Every name of the tree, each directory before its children, children in byte order. A hard-linked inode comes once per name. */
export function* walk(root: DirectoryInode): Generator<WalkedEntry, void, undefined> {
	// The last element is visited next.
	const pending: WalkedEntry[] = [{ path: "", inode: root, parent: undefined }];
	for (let entry = pending.pop(); entry !== undefined; entry = pending.pop()) {
		yield entry;
		const { inode: parent, path } = entry;
		if (parent.type !== "directory") continue;
		const prefix = path === "" ? "" : `${path}/`;
		for (const [name, inode] of sortedEntries(parent).reverse()) pending.push({ path: prefix + name, inode, parent });
	}
}

/** The inode of every name in the tree but the root's own, in no order that means anything: several times as fast as `walk`. */
export function* inodesBelow(root: DirectoryInode): Generator<Inode, void, undefined> {
	const pending = [root];
	for (let directory = pending.pop(); directory !== undefined; directory = pending.pop())
		for (const inode of directory.entries.values()) {
			if (inode.type === "directory") pending.push(inode);
			yield inode;
		}
}

/** Names in the tree, the root's own not among them. */
export function countPaths(root: DirectoryInode): number {
	let count = 0;
	for (const _ of inodesBelow(root)) count++;
	return count;
}

/** The children in byte order. */
export function sortedEntries(directory: DirectoryInode): [ByteString, Inode][] {
	return [...directory.entries].sort(([a], [b]) => compareByteStrings(a, b));
}
