import type { ByteString } from "../binary/byte-string.ts";
import type { Steps } from "../binary/turns.ts";
import type { DirectoryInode, Inode, Timestamp } from "./inode.ts";
import { isOpaque, makeOpaque, NO_ENTRY, newWhiteout } from "./layer-diff.ts";
import { OPAQUE } from "./overlay-marks.ts";

/** Of the lowest layer's root, as containers/storage has it where the layer does not say. */
const ROOT_MODE = 0o555;

/**
 * A layer's directory for its place above others, which are given uppermost first: what the layer has no entry for looks as it does below, since overlay shows the
 * attributes of the uppermost directory; `epoch` is the time of what is nowhere. The inodes are new ones. An inode a step.
 */
export function* stackingDiff(
	diff: DirectoryInode,
	lowers: readonly DirectoryInode[],
	epoch: Timestamp,
): Steps<DirectoryInode> {
	const copies = new Map<Inode, Inode>();
	const root = copyOf(diff, lowers);
	if (lowers.length === 0 && diff.mtime === NO_ENTRY) root.mode = ROOT_MODE;
	if (isOpaque(root)) hideBelow(root, lowers, epoch);
	const pending: [from: DirectoryInode, to: DirectoryInode, lowers: readonly DirectoryInode[]][] = [
		[diff, root, lowers],
	];
	for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
		const [from, to, below] = next;
		for (const [name, inode] of from.entries) {
			yield;
			if (inode.type === "directory") {
				const belowIt = isOpaque(to) ? [] : directoriesAt(below, name);
				const copy = copyOf(inode, belowIt);
				if (diff === from && isOpaque(diff) && !isOpaque(copy)) makeOpaque(copy);
				to.entries.set(name, copy);
				pending.push([inode, copy, isOpaque(copy) ? [] : belowIt]);
				continue;
			}
			const copy = copies.get(inode) ?? { ...inode, mtime: inode.mtime === NO_ENTRY ? epoch : inode.mtime };
			copies.set(inode, copy);
			to.entries.set(name, copy);
		}
	}
	return root;

	function copyOf(directory: DirectoryInode, below: readonly DirectoryInode[]): DirectoryInode {
		const entries = new Map<ByteString, Inode>();
		if (directory.mtime !== NO_ENTRY) return { ...directory, entries };
		const [seen] = below;
		if (seen === undefined) return { ...directory, mtime: epoch, entries };
		const { mode, uid, gid, mtime } = seen;
		const xattrs = new Map([...seen.xattrs].filter(([name]) => name !== OPAQUE));
		const copy: DirectoryInode = { ...directory, mode, uid, gid, mtime, xattrs, entries };
		if (isOpaque(directory)) makeOpaque(copy);
		return copy;
	}
}

/** Those of the lower layers that overlay merges at a name. */
function directoriesAt(directories: readonly DirectoryInode[], name: ByteString): DirectoryInode[] {
	const found: DirectoryInode[] = [];
	for (const { entries } of directories) {
		const inode = entries.get(name);
		if (inode === undefined) continue;
		if (inode.type !== "directory") break;
		found.push(inode);
		if (isOpaque(inode)) break;
	}
	return found;
}

/** Overlay merges the roots of its layers whatever they are marked as: whiteouts in place of the mark. */
function hideBelow(root: DirectoryInode, lowers: readonly DirectoryInode[], epoch: Timestamp): void {
	root.xattrs = new Map([...root.xattrs].filter(([name]) => name !== OPAQUE));
	for (const { entries } of lowers)
		for (const name of entries.keys()) root.entries.set(name, { ...newWhiteout(), mtime: epoch });
}
