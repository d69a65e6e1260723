import type { ByteString } from "../binary/byte-string.ts";
import type { DirectoryInode, Inode } from "./inode.ts";

/**
 * A copy of the tree without the paths that `isExcluded` picks (`usr/lib/x`, no leading slash); an excluded directory takes all that is
 * below it along, unasked. Inodes that are not directories are shared with the original, so hard links stay hard links.
 */
export function withoutPaths(root: DirectoryInode, isExcluded: (path: ByteString) => boolean): DirectoryInode {
	const copy = (directory: DirectoryInode, prefix: ByteString): DirectoryInode => {
		const entries = new Map<ByteString, Inode>();
		for (const [name, inode] of directory.entries) {
			const path = prefix + name;
			if (isExcluded(path)) continue;
			entries.set(name, inode.type === "directory" ? copy(inode, `${path}/`) : inode);
		}
		return { ...directory, entries };
	};
	return copy(root, "");
}
