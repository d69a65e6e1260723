import { type ByteString, displayName } from "../binary/byte-string.ts";
import { corrupt } from "../errors.ts";
import type { DirectoryInode, Inode, SymlinkInode } from "./inode.ts";

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

/** What is to happen where a component of an entry's own path, followed if it is a symbolic link, leads to no directory. */
export interface Way {
	/** `name` in `directory` is in the way, at `path`; returns the directory that takes its place, or undefined where it stays. */
	clear(directory: DirectoryInode, name: ByteString, path: readonly ByteString[]): DirectoryInode | undefined;
	/** A symbolic link of the path was followed to a directory. */
	follow(link: SymlinkInode): void;
}

/** A component of the path that is a symbolic link, and where the lookup stood before it. */
interface TopLink {
	readonly link: SymlinkInode;
	readonly name: ByteString;
	readonly names: readonly ByteString[];
	readonly inodes: readonly (Inode | undefined)[];
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

	/**
	 * Without a `way`, what is no directory ends the existing part of the path. Throws `Oci2isoError` SYMLINK_LOOP after 255 links (with a `way`, for one component of
	 * the path) and TREE_TOO_COSTLY when the image makes lookups explode.
	 */
	resolve(path: ByteString, where: string, way?: Way): Place {
		const names: ByteString[] = [];
		const inodes: (Inode | undefined)[] = [this.#root];
		let links = 0;
		let topLink: TopLink | undefined;
		// What is left of the path and of the links' targets, the innermost last.
		const pending = [{ text: path, position: 0 }];
		const goBack = ({ names: namesBefore, inodes: inodesBefore, name }: TopLink): boolean => {
			const parent = inodesBefore.at(-1);
			if (parent?.type !== "directory") return false;
			const directory = way?.clear(parent, name, [...namesBefore, name]);
			if (directory === undefined) return false;
			names.splice(0, names.length, ...namesBefore, name);
			inodes.splice(0, inodes.length, ...inodesBefore, directory);
			pending.length = 1;
			return true;
		};
		for (let part = pending.at(-1); part !== undefined; part = pending.at(-1)) {
			if (part.position >= part.text.length) {
				pending.pop();
				if (topLink === undefined || pending.length !== 1) continue;
				if (inodes.at(-1)?.type === "directory") way?.follow(topLink.link);
				else goBack(topLink);
				topLink = undefined;
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
			let child = parent?.type === "directory" ? parent.entries.get(name) : undefined;
			const isTop = way !== undefined && pending.length === 1;
			if (child?.type !== "symlink") {
				names.push(name);
				if (parent?.type === "directory") {
					if (child === undefined) this.#onMissing(parent, names);
					else if (isTop && child.type !== "directory") child = way.clear(parent, name, names) ?? child;
				}
				inodes.push(child);
				continue;
			}
			if (isTop) {
				this.charge(names.length, where);
				links = 0;
				topLink = { link: child, name, names: [...names], inodes: [...inodes] };
			}
			if (++links > MAX_LINKS) {
				if (topLink !== undefined && goBack(topLink)) {
					topLink = undefined;
					continue;
				}
				throw corrupt("SYMLINK_LOOP", `more than ${MAX_LINKS} symbolic links`, `${where}, ${displayName(path)}`);
			}
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
