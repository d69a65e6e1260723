import { type ByteString, compareByteStrings, displayName } from "../binary/byte-string.ts";
import { sorting } from "../binary/sorting.ts";
import type { Steps } from "../binary/turns.ts";
import { assert } from "../errors.ts";
import type { DirectoryInode } from "../tree/inode.ts";
import { MAX_NAME_BYTES } from "../tree/path.ts";
import { inodesBelow } from "../tree/walk.ts";
import { beyondLimit } from "./limits.ts";

export interface NumberedDirectory {
	readonly inode: DirectoryInode;
	readonly number: number;
	/** Undefined for the root. */
	readonly parent: NumberedDirectory | undefined;
	readonly name: ByteString;
	/** In byte order. */
	readonly names: readonly ByteString[];
	readonly subdirectories: number;
}

/** The inodes have numbers from 1 to `count`; the children of a directory have adjacent ones where hard links allow it. */
export interface InodeNumbering {
	readonly count: number;
	/** Every parent before its children. */
	readonly directories: readonly NumberedDirectory[];
	/** Directory entries that name the inode, by inode number; not for directories. */
	readonly linkCounts: Uint32Array;
}

/** Numbers the inodes themselves: there may be millions. A name a step. Throws `Oci2isoError` INVALID_NAME where Linux could not look an entry up. */
export function* numberInodes(root: DirectoryInode): Steps<InodeNumbering> {
	let paths = 1;
	for (const inode of inodesBelow(root)) {
		inode.number = 0;
		paths++;
		yield;
	}
	const linkCounts = new Uint32Array(paths + 1);
	let count = 1;
	root.number = count;
	const directories: NumberedDirectory[] = [];
	const pending: { inode: DirectoryInode; parent: NumberedDirectory | undefined; name: ByteString }[] = [
		{ inode: root, parent: undefined, name: "" },
	];
	for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
		const { inode, parent, name } = next;
		const { number } = inode;
		assert(number !== undefined, "a directory is numbered with its siblings");
		const names = yield* sorting(inode.entries.keys(), compareByteStrings);
		const subdirectories: typeof pending = [];
		const directory = { inode, number, parent, name, names, subdirectories: 0 };
		for (const childName of names) {
			const child = inode.entries.get(childName);
			assert(child !== undefined, "an entry has an inode");
			checkName(directory, childName);
			yield;
			const known = Number(child.number);
			if (known > 0) {
				assert(child.type !== "directory", "a directory has one name");
				linkCounts[known] = Number(linkCounts[known]) + 1;
				continue;
			}
			child.number = ++count;
			linkCounts[count] = 1;
			if (child.type === "directory") subdirectories.push({ inode: child, parent: directory, name: childName });
		}
		directory.subdirectories = subdirectories.length;
		directories.push(directory);
		for (const subdirectory of subdirectories.reverse()) pending.push(subdirectory);
	}
	return { count, directories, linkCounts };
}

/** Absolute path of an entry. */
export function pathOf(directory: NumberedDirectory, name: ByteString): ByteString {
	const names = [name];
	for (let at: NumberedDirectory | undefined = directory; at?.parent !== undefined; at = at.parent) names.push(at.name);
	return `/${names.reverse().join("/")}`;
}

function checkName(directory: NumberedDirectory, name: ByteString): void {
	const valid = name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name) && name.length <= MAX_NAME_BYTES;
	if (!valid)
		throw beyondLimit(
			"INVALID_NAME",
			`"${displayName(name).slice(0, 300)}" cannot be a file name`,
			pathOf(directory, ""),
			`1 to ${MAX_NAME_BYTES} bytes without "/" and NUL, not "." or ".."`,
		);
}
