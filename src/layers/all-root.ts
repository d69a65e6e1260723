import type { Steps } from "../binary/turns.ts";
import type { DirectoryInode, InodeAttributes } from "../tree/inode.ts";
import { inodesBelow } from "../tree/walk.ts";

/** Gives every inode to user and group 0, an inode a step. Returns how many belonged to others. */
export function* givingToRoot(root: DirectoryInode): Steps<number> {
	let count = 0;
	const give = (inode: InodeAttributes): void => {
		if (inode.uid === 0 && inode.gid === 0) return;
		inode.uid = 0;
		inode.gid = 0;
		count++;
	};
	give(root);
	for (const inode of inodesBelow(root)) {
		give(inode);
		yield;
	}
	return count;
}
