import { type ByteString, compareByteStrings } from "../binary/byte-string.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { DirectoryInode } from "../tree/inode.ts";
import { lookupQuietly } from "../tree/lookup-quietly.ts";
import type { FoundFile } from "./contract.ts";

/** A directory of the image, symbolic links resolved. */
export interface FoundDirectory {
	readonly path: ByteString;
	readonly inode: DirectoryInode;
}

/** The regular file with content at `path`, or undefined. */
export function findFile(tree: ImageTree, path: ByteString): FoundFile | undefined {
	const found = lookupQuietly(tree, path);
	if (found?.inode.type !== "file" || found.inode.byteLength === 0) return undefined;
	return { path: found.path, inode: found.inode };
}

export function findFirstFile(tree: ImageTree, paths: readonly ByteString[]): FoundFile | undefined {
	for (const path of paths) {
		const file = findFile(tree, path);
		if (file !== undefined) return file;
	}
	return undefined;
}

export function findDirectory(tree: ImageTree, path: ByteString): FoundDirectory | undefined {
	const found = lookupQuietly(tree, path);
	return found?.inode.type === "directory" ? { path: found.path, inode: found.inode } : undefined;
}

/** Why there is no usable file at `path`, as the end of a sentence. */
export function whyNoFile(tree: ImageTree, path: ByteString): string {
	const found = lookupQuietly(tree, path);
	if (found !== undefined) return found.inode.type === "file" ? "is empty" : `is a ${found.inode.type}, not a file`;
	const parent = findDirectory(tree, path.slice(0, Math.max(path.lastIndexOf("/"), 1)));
	const last = parent?.inode.entries.get(path.slice(path.lastIndexOf("/") + 1));
	return last === undefined ? "is missing" : "is a symbolic link that leads nowhere in the image";
}

/** Names in a directory of the image, in byte order; none where it is not there. */
export function namesIn(directory: FoundDirectory | undefined): ByteString[] {
	return directory === undefined ? [] : [...directory.inode.entries.keys()].sort(compareByteStrings);
}
