import type { ByteString } from "../binary/byte-string.ts";
import type { Steps } from "../binary/turns.ts";
import type { DirectoryInode, InodeAttributes } from "../tree/inode.ts";
import { inodesBelow } from "../tree/walk.ts";
import { compileXattrPattern } from "./xattr-pattern.ts";

/** What one pattern took away. */
export interface DroppedXattrs {
	readonly pattern: string;
	/** Attributes of the tree's inodes that it matched; one that several patterns match counts for the first. */
	readonly count: number;
}

type Xattrs = InodeAttributes["xattrs"];
export type XattrDropper = (root: DirectoryInode) => Steps<DroppedXattrs[]>;

/**
 * Takes the extended attributes away whose full names match one of the patterns, see `compileXattrPattern`. The returned function changes
 * the inodes of the tree it is given, an inode a step. Throws `Oci2isoError` INVALID_PATTERN (usage).
 */
export function compileXattrDropper(patterns: readonly string[]): XattrDropper {
	const compiled = patterns.map(compileXattrPattern);
	const patternOf = (name: ByteString): number => compiled.findIndex((matches) => matches(name));
	return function* (root) {
		const counts = patterns.map(() => 0);
		if (patterns.length > 0) yield* drop(root, patternOf, counts);
		return patterns.map((pattern, i) => ({ pattern, count: counts[i] ?? 0 }));
	};
}

/** Whether one of the patterns matches. Throws as `compileXattrDropper`. */
export function isDropped(patterns: readonly string[], name: ByteString): boolean {
	return patterns.some((pattern) => compileXattrPattern(pattern)(name));
}

function* drop(root: DirectoryInode, patternOf: (name: ByteString) => number, counts: number[]): Steps<void> {
	// Inodes share maps. A map that was filtered stands for itself, so that the second name of an inode finds nothing more.
	const filtered = new Map<Xattrs, { readonly kept: Xattrs; readonly dropped: readonly number[] }>();
	const filter = (xattrs: Xattrs) => {
		const known = filtered.get(xattrs);
		if (known !== undefined) return known;
		const matched = [...xattrs].map(([name, value]) => ({ name, value, pattern: patternOf(name) }));
		const dropped = matched.flatMap(({ pattern }) => (pattern === -1 ? [] : [pattern]));
		const rest = matched.filter(({ pattern }) => pattern === -1);
		const kept = dropped.length === 0 ? xattrs : new Map(rest.map(({ name, value }) => [name, value]));
		const result = { kept, dropped };
		filtered.set(xattrs, result);
		filtered.set(kept, dropped.length === 0 ? result : { kept, dropped: [] });
		return result;
	};
	const visit = (inode: InodeAttributes): void => {
		if (inode.xattrs.size === 0) return;
		const { kept, dropped } = filter(inode.xattrs);
		inode.xattrs = kept;
		for (const pattern of dropped) counts[pattern] = (counts[pattern] ?? 0) + 1;
	};
	visit(root);
	for (const inode of inodesBelow(root)) {
		visit(inode);
		yield;
	}
}
