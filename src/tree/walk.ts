import { type ByteString, compareByteStrings } from "../binary/byte-string.ts";
import type { DirectoryInode, Inode } from "./inode.ts";

/** One name in the tree. */
export interface WalkedEntry {
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

/** Names in the tree, the root's own not among them. */
export function countPaths(root: DirectoryInode): number {
	let count = 0;
	const pending = [root];
	for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
		count += directory.entries.size;
		for (const inode of directory.entries.values()) if (inode.type === "directory") pending.push(inode);
	}
	return count;
}

/** The children in byte order. */
export function sortedEntries(directory: DirectoryInode): [ByteString, Inode][] {
	return [...directory.entries].sort(([a], [b]) => compareByteStrings(a, b));
}
