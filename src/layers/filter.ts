import type { ByteString } from "../binary/byte-string.ts";
import type { Steps } from "../binary/turns.ts";
import type { DirectoryInode } from "../tree/inode.ts";
import { countPaths } from "../tree/walk.ts";

/** Whether a path is left out; no leading slash. */
export type IsExcluded = (path: ByteString) => boolean;

interface FilteredTree {
	readonly root: DirectoryInode;
	/** Names that were left out, those below excluded directories among them. */
	readonly excludedPaths: number;
}

/** A directory on the way down, and its copy once something below it was left out. */
interface Place {
	readonly directory: DirectoryInode;
	readonly parent: Place | undefined;
	readonly name: ByteString;
	readonly prefix: ByteString;
	copy: DirectoryInode | undefined;
}

/**
 * The tree without the paths that `isExcluded` picks (`usr/lib/x`, no leading slash); an excluded directory takes all that is
 * below it along, unasked. Directories above something that was left out are copies; everything else is shared with the original, which
 * stays as it is. In steps.
 */
export function* leavingOut(root: DirectoryInode, isExcluded: IsExcluded): Steps<FilteredTree> {
	const top: Place = { directory: root, parent: undefined, name: "", prefix: "", copy: undefined };
	const pending = [top];
	let excludedPaths = 0;
	for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
		for (const [name, inode] of place.directory.entries) {
			yield;
			const path = place.prefix + name;
			if (isExcluded(path)) {
				copyOf(place).entries.delete(name);
				excludedPaths += 1 + (inode.type === "directory" ? countPaths(inode) : 0);
			} else if (inode.type === "directory")
				pending.push({ directory: inode, parent: place, name, prefix: `${path}/`, copy: undefined });
		}
	}
	return { root: top.copy ?? root, excludedPaths };
}

/** The place's copy, which is in the copy of the directory above it, and so on. */
function copyOf(place: Place): DirectoryInode {
	const known = place.copy;
	if (known !== undefined) return known;
	const copy = copied(place);
	let below = copy;
	for (let at = place; at.parent !== undefined; at = at.parent) {
		const above = at.parent.copy;
		const parent = above ?? copied(at.parent);
		parent.entries.set(at.name, below);
		if (above !== undefined) break;
		below = parent;
	}
	return copy;
}

function copied(place: Place): DirectoryInode {
	place.copy = { ...place.directory, entries: new Map(place.directory.entries) };
	return place.copy;
}
