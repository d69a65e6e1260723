import { type ByteString, displayName } from "../binary/byte-string.ts";
import type { Steps } from "../binary/turns.ts";
import { corrupt } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import type { RootDirectory, RootFile, RootInode } from "./root-inode.ts";

/**
 * Every inode says how many names it has; a name a step. `inodeCount` is what the image says of itself: throws CORRUPT_METADATA where there are fewer names.
 */
export function* countLinks(
	root: RootDirectory,
	inodeCount: number,
	pathOf: (inode: RootInode) => ByteString,
	findings: Findings,
): Steps<{ files: RootFile[]; inodes: number; names: number }> {
	let names = 0;
	for (const _ of namesBelow(root)) {
		names++;
		yield;
	}
	if (inodeCount > names + 1)
		throw corrupt("CORRUPT_METADATA", `number of inodes is ${inodeCount}`, "superblock", `at most ${names + 1}`);
	/** By inode number. */
	const counts = new Uint32Array(inodeCount + 1);
	const files: RootFile[] = [];
	let inodes = 1;
	const check = (inode: RootInode, expected: number): void => {
		if (inode.linkCount !== expected)
			findings.fault(`link count ${inode.linkCount}`, `/${displayName(pathOf(inode))}`, String(expected));
	};
	for (const [, inode] of namesBelow(root)) {
		yield;
		const before = counts[inode.inodeNumber] ?? 0;
		counts[inode.inodeNumber] = before + 1;
		if (before > 0) continue;
		inodes++;
		if (inode.type === "file") files.push(inode);
	}
	const checkDirectory = (directory: RootDirectory): void => {
		let subdirectories = 0;
		for (const { type } of directory.entries.values()) if (type === "directory") subdirectories++;
		check(directory, subdirectories + 2);
	};
	checkDirectory(root);
	for (const [, inode] of namesBelow(root)) {
		yield;
		const count = counts[inode.inodeNumber] ?? 0;
		if (inode.type === "directory") checkDirectory(inode);
		else if (count > 0) check(inode, count);
		// Once for all names.
		counts[inode.inodeNumber] = 0;
	}
	return { files, inodes, names };
}

/** Every name, with its directory's prefix left out; a directory's names follow each other. */
function* namesBelow(root: RootDirectory): Generator<[name: ByteString, inode: RootInode]> {
	const pending = [root];
	for (let directory = pending.pop(); directory !== undefined; directory = pending.pop())
		for (const entry of directory.entries) {
			yield entry;
			if (entry[1].type === "directory") pending.push(entry[1]);
		}
}

/** The first path of each inode, without leading slash. Only where something is wrong do paths take memory. */
export function pathsBelow(root: RootDirectory): (inode: RootInode) => ByteString {
	let paths: Map<RootInode, ByteString> | undefined;
	const walk = (): Map<RootInode, ByteString> => {
		const found = new Map<RootInode, ByteString>([[root, ""]]);
		const pending: [RootDirectory, ByteString][] = [[root, ""]];
		for (let next = pending.pop(); next !== undefined; next = pending.pop())
			for (const [name, inode] of next[0].entries) {
				const path = next[1] === "" ? name : `${next[1]}/${name}`;
				if (!found.has(inode)) found.set(inode, path);
				if (inode.type === "directory") pending.push([inode, path]);
			}
		return found;
	};
	return (inode) => {
		paths ??= walk();
		return paths.get(inode) ?? "";
	};
}
