import type { ByteString } from "../binary/byte-string.ts";
import type { DirectoryInode, Inode } from "./inode.ts";

/**
 * A copy of the tree without the paths that `isExcluded` picks (`usr/lib/x`, no leading slash); an excluded directory takes all that is
 * below it along, unasked. Inodes that are not directories are shared with the original, so hard links stay hard links.
 */
export function withoutPaths(root: DirectoryInode, isExcluded: (path: ByteString) => boolean): DirectoryInode {
	const copyOf = (directory: DirectoryInode): DirectoryInode => ({
		...directory,
		entries: new Map<ByteString, Inode>(),
	});
	const copy = copyOf(root);
	const pending = [{ from: root, to: copy, prefix: "" }];
	for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
		for (const [name, inode] of next.from.entries) {
			const path = next.prefix + name;
			if (isExcluded(path)) continue;
			if (inode.type !== "directory") {
				next.to.entries.set(name, inode);
				continue;
			}
			const child = copyOf(inode);
			next.to.entries.set(name, child);
			pending.push({ from: inode, to: child, prefix: `${path}/` });
		}
	}
	return copy;
}
