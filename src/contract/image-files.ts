import { type ByteString, compareByteStrings } from "../binary/byte-string.ts";
import { Oci2isoError } from "../errors.ts";
import type { Found, ImageTree } from "../tree/image-tree.ts";
import type { DirectoryInode } from "../tree/inode.ts";
import type { FoundFile } from "./contract.ts";

/** A directory of the image, symbolic links resolved. */
export interface FoundDirectory {
	readonly path: ByteString;
	readonly inode: DirectoryInode;
}

/** What is at `path`, or undefined; a loop of symbolic links leads nowhere. */
export function findAny(tree: ImageTree, path: ByteString): Found | undefined {
	try {
		return tree.lookup(path);
	} catch (error) {
		if (error instanceof Oci2isoError && error.code === "SYMLINK_LOOP") return undefined;
		throw error;
	}
}

/** The regular file with content at `path`, or undefined. */
export function findFile(tree: ImageTree, path: ByteString): FoundFile | undefined {
	const found = findAny(tree, path);
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
	const found = findAny(tree, path);
	return found?.inode.type === "directory" ? { path: found.path, inode: found.inode } : undefined;
}

/** Why there is no usable file at `path`, as the end of a sentence. */
export function whyNoFile(tree: ImageTree, path: ByteString): string {
	const found = findAny(tree, path);
	if (found !== undefined) return found.inode.type === "file" ? "is empty" : `is a ${found.inode.type}, not a file`;
	const parent = findDirectory(tree, path.slice(0, Math.max(path.lastIndexOf("/"), 1)));
	const last = parent?.inode.entries.get(path.slice(path.lastIndexOf("/") + 1));
	return last === undefined ? "is missing" : "is a symbolic link that leads nowhere in the image";
}

/** Names in a directory of the image, in byte order; none where it is not there. */
export function namesIn(directory: FoundDirectory | undefined): ByteString[] {
	return directory === undefined ? [] : [...directory.inode.entries.keys()].sort(compareByteStrings);
}
