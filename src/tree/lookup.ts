import { type ByteString, displayName } from "../binary/byte-string.ts";
import { corrupt } from "../errors.ts";
import type { Found, ImageTree } from "./image-tree.ts";
import type { DirectoryInode, Inode } from "./inode.ts";
import { MAX_PATH_BYTES } from "./path.ts";

/** As the kernel (path_resolution(7)). */
const MAX_LINKS = 40;
/** Components, those of links too; as many as the longest path has. */
const MAX_COMPONENTS = MAX_PATH_BYTES;

/**
 * Path lookup inside the tree below `root`, as the kernel would do it there: symbolic links are followed, absolute ones from `root`, and
 * `..` stops at `root`. A path that ends in a slash names a directory.
 */
export function createLookup(root: DirectoryInode): ImageTree["lookup"] {
	return (path, options) => lookup(root, path, options?.followLast ?? true);
}

function lookup(root: DirectoryInode, path: ByteString, followLast: boolean): Found | undefined {
	const directories: DirectoryInode[] = [];
	const names: ByteString[] = [];
	let current: Inode = root;
	let links = 0;
	// Components still to go, the next one last. "" stands for a slash at the end, which asks for a directory.
	const pending = path.split("/").reverse();
	let steps = 0;
	for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
		if (++steps > MAX_COMPONENTS)
			throw corrupt("SYMLINK_LOOP", `more than ${MAX_COMPONENTS} components`, displayName(path.slice(0, 512)));
		if (current.type !== "directory") return undefined;
		if (name === "" || name === ".") continue;
		if (name === "..") {
			names.pop();
			current = directories.pop() ?? root;
			continue;
		}
		const child: Inode | undefined = current.entries.get(name);
		if (child === undefined) return undefined;
		if (child.type === "symlink" && (followLast || pending.length > 0)) {
			if (++links > MAX_LINKS)
				throw corrupt("SYMLINK_LOOP", `more than ${MAX_LINKS} symbolic links`, displayName(path));
			if (child.target.startsWith("/")) {
				directories.length = 0;
				names.length = 0;
				current = root;
			}
			for (const component of child.target.split("/").reverse()) pending.push(component);
			continue;
		}
		directories.push(current);
		names.push(name);
		current = child;
	}
	return { path: `/${names.join("/")}`, inode: current };
}
