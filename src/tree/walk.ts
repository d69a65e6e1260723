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

/** The children in byte order. */
export function sortedEntries(directory: DirectoryInode): [ByteString, Inode][] {
	return [...directory.entries].sort(([a], [b]) => compareByteStrings(a, b));
}
