import { elementAt } from "../binary/element-at.ts";
import { NO_XATTRS } from "../binary/xattrs.ts";
import { Oci2isoError } from "../errors.ts";
import type { DirectoryInode } from "../tree/inode.ts";
import { DEFAULT_MAX_LOOKUP_STEPS } from "../tree/merge.ts";
import { PlaceResolver } from "../tree/place.ts";
import { inodesBelow } from "../tree/walk.ts";

/** Where containers/storage looks (containers-storage.conf(5), `graphroot`); of root's. */
export const GRAPH_ROOT = "var/lib/containers/storage";

/**
 * The tree with `store` at `GRAPH_ROOT`, links of the image followed; what is above it is a copy. Throws `Oci2isoError` PAYLOAD_PLACE_TAKEN (exit 2) where there is
 * something other than empty directories and locks.
 */
export function withStore(root: DirectoryInode, store: DirectoryInode): DirectoryInode {
	const { deepest, directories, names, missing } = new PlaceResolver(root, DEFAULT_MAX_LOOKUP_STEPS).resolve(
		GRAPH_ROOT,
		"the live root",
	);
	if (deepest.type !== "directory") throw taken(`a ${deepest.type}`);
	if (missing.length === 0 && holdsFiles(deepest)) throw taken("container storage, which is not empty");
	// what the store takes the place of is no parent
	const above = missing.length === 0 ? directories.slice(0, -1) : directories;
	const below = missing.length === 0 ? names.slice(-1) : missing;
	let child = store;
	for (const name of below.slice(1).reverse()) child = newParent(name, child, store);
	let name = below[0] ?? "";
	for (const [depth, directory] of [...above.entries()].reverse()) {
		child = { ...directory, entries: new Map(directory.entries).set(name, child) };
		if (depth > 0) name = elementAt(names, depth - 1);
	}
	return child;
}

function newParent(name: string, child: DirectoryInode, { mtime }: DirectoryInode): DirectoryInode {
	const entries = new Map([[name, child]]);
	return { type: "directory", mode: 0o755, uid: 0, gid: 0, mtime, xattrs: NO_XATTRS, number: 0, entries };
}

function holdsFiles(directory: DirectoryInode): boolean {
	for (const inode of inodesBelow(directory))
		if (inode.type !== "directory" && !(inode.type === "file" && inode.byteLength === 0)) return true;
	return false;
}

function taken(what: string): Oci2isoError {
	return new Oci2isoError({
		code: "PAYLOAD_PLACE_TAKEN",
		kind: "usage",
		what: `the image has ${what} where its payload's container storage would be`,
		where: `/${GRAPH_ROOT}`,
		expected: "nothing, or empty directories",
		remedy: "use --payload-place medium, or leave it out of the image",
	});
}
