import { type ByteString, displayName } from "../binary/byte-string.ts";
import { corrupt } from "../errors.ts";
import type { DirectoryInode, Inode } from "./inode.ts";

/** Where a path leads: how far it exists, and what comes after. */
export interface Place {
	/** From the root down, every directory on the way that exists. */
	readonly directories: DirectoryInode[];
	/** The name of each of them but the root, in the one before. */
	readonly names: ByteString[];
	/** What the existing part of the path ends in: the last of `directories`, or something that is none. */
	readonly deepest: Inode;
	/** Components below `deepest` that do not exist. */
	readonly missing: readonly ByteString[];
	/** Length of the whole path without leading slash. */
	readonly pathBytes: number;
}

const MAX_LINKS = 255;
/**
 * Resolves directories' paths in the tree that is being built. Unlike a kernel's lookup it goes on as text where nothing exists, or where a
 * component is no directory, because what is missing will be created: `missing/..` is the directory itself, and the target of
 * a dangling symbolic link is the place to create.
 */
export class PlaceResolver {
	readonly #root: DirectoryInode;
	readonly #maxSteps: number;
	readonly #onMissing: (directory: DirectoryInode, path: readonly ByteString[]) => void;
	#steps = 0;

	/** `maxSteps` bounds what `charge` and all lookups together count; `onMissing` is told of every path that leads nowhere, and of the directory it is missing in. */
	constructor(
		root: DirectoryInode,
		maxSteps: number,
		onMissing: (directory: DirectoryInode, path: readonly ByteString[]) => void = () => {},
	) {
		this.#onMissing = onMissing;
		this.#root = root;
		this.#maxSteps = maxSteps;
	}

	/** Throws `Oci2isoError` SYMLINK_LOOP after 255 links and TREE_TOO_COSTLY when the image makes lookups explode. */
	resolve(path: ByteString, where: string): Place {
		const names: ByteString[] = [];
		const inodes: (Inode | undefined)[] = [this.#root];
		let links = 0;
		// What is left of the path and of the links' targets, the innermost last.
		const pending = [{ text: path, position: 0 }];
		for (let part = pending.at(-1); part !== undefined; part = pending.at(-1)) {
			if (part.position >= part.text.length) {
				pending.pop();
				continue;
			}
			const slash = part.text.indexOf("/", part.position);
			const end = slash === -1 ? part.text.length : slash;
			const name = part.text.slice(part.position, end);
			part.position = end + 1;
			this.charge(1, where);
			if (name === "" || name === ".") continue;
			if (name === "..") {
				names.pop();
				if (inodes.length > 1) inodes.pop();
				continue;
			}
			const parent = inodes.at(-1);
			const child = parent?.type === "directory" ? parent.entries.get(name) : undefined;
			if (child?.type !== "symlink") {
				names.push(name);
				if (child === undefined && parent?.type === "directory") this.#onMissing(parent, names);
				inodes.push(child);
				continue;
			}
			if (++links > MAX_LINKS)
				throw corrupt("SYMLINK_LOOP", `more than ${MAX_LINKS} symbolic links`, `${where}, ${displayName(path)}`);
			if (child.target.startsWith("/")) {
				names.length = 0;
				inodes.length = 1;
			}
			pending.push({ text: child.target, position: 0 });
		}
		return placeOf(this.#root, names, inodes);
	}

	/** Counts work that hostile images could multiply. */
	charge(steps: number, where: string): void {
		this.#steps += steps;
		if (this.#steps > this.#maxSteps)
			throw corrupt("TREE_TOO_COSTLY", "paths that take an unreasonable number of lookups", where);
	}
}

function placeOf(root: DirectoryInode, names: ByteString[], inodes: readonly (Inode | undefined)[]): Place {
	const directories: DirectoryInode[] = [];
	let deepest: Inode = root;
	let existing = 0;
	for (const inode of inodes) {
		if (inode === undefined) break;
		deepest = inode;
		existing++;
		if (inode.type === "directory") directories.push(inode);
	}
	const pathBytes = names.reduce((sum, name) => sum + name.length + 1, -1);
	const missing = names.splice(existing - 1);
	return { directories, names, deepest, missing, pathBytes: Math.max(0, pathBytes) };
}
