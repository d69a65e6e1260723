import type { ByteString } from "../binary/byte-string.ts";
import type { Steps } from "../binary/turns.ts";
import { corrupt, type Oci2isoError } from "../errors.ts";
import { linkNameOf } from "../oci/storage/store-names.ts";
import { GRAPH_ROOT } from "../payload/store-in-root.ts";
import type { RootDirectory, RootFile, RootInode } from "../rootfs/root-inode.ts";
import type { DirectoryInode } from "../tree/inode.ts";
import { createLookup } from "../tree/lookup.ts";
import { lookupQuietly } from "../tree/lookup-quietly.ts";

/** Container storage that a build made, in a file system on the medium. */
export interface FoundStore {
	readonly store: RootDirectory;
	/** From the file system's root; "" is that itself. */
	readonly path: ByteString;
}

/** Where the live root has it: at its place, or where a link of the image leads from there. Undefined where there is none, or one that another program made. */
export function storeInRoot(root: RootDirectory): FoundStore | undefined {
	// of inodes, a lookup asks for types, entries and targets alone
	const lookup = createLookup(root as unknown as DirectoryInode);
	const path = lookupQuietly({ lookup }, GRAPH_ROOT)?.path.slice(1) ?? "";
	const found = directoryAt(root, path);
	return found !== undefined && isOurs(found) ? { store: found, path } : undefined;
}

/** A store's short names are random but where they are made of ids. */
function isOurs(store: RootDirectory): boolean {
	const links = directoryAt(store, "overlay/l");
	if (links === undefined || entryAt(store, "overlay-images/images.json")?.type !== "file") return false;
	return [...links.entries].every(([name, inode]) => {
		const [, id = ""] = inode.type === "symlink" ? (/^\.\.\/([0-9a-f]+)\/diff$/.exec(inode.target) ?? []) : [];
		return linkNameOf(id) === name;
	});
}

interface Directory<Entry> {
	readonly type: "directory";
	readonly entries: Map<ByteString, Entry>;
}

/** A tree without a store, and without the directories that were made for it alone: `isExpected` says of a path whether it is the image's. */
export function withoutStore<Tree extends Directory<{ readonly type: string }>>(
	root: Tree,
	{ path }: FoundStore,
	isExpected: (path: ByteString) => boolean,
): Tree {
	const names = path.split("/");
	const without = (directory: Directory<unknown>, depth: number): Directory<unknown> => {
		const name = names[depth] ?? "";
		const entries = new Map(directory.entries);
		const child = entries.get(name) as Directory<unknown> | undefined;
		const rest = child?.type === "directory" && depth < names.length - 1 ? without(child, depth + 1) : undefined;
		const isMade = !isExpected(names.slice(0, depth + 1).join("/"));
		if (rest === undefined || (rest.entries.size === 0 && isMade)) entries.delete(name);
		else entries.set(name, rest);
		return { ...directory, entries };
	};
	return without(root, 0) as Tree;
}

/** The file system that is nothing but a store. */
export function storeAsRoot(root: RootDirectory): FoundStore | undefined {
	return isOurs(root) ? { store: root, path: "" } : undefined;
}

/** A store's files, links to one file once. */
export function* filesOf({ entries }: RootDirectory): Steps<Set<RootFile>> {
	const files = new Set<RootFile>();
	const pending = [entries];
	for (let directory = pending.pop(); directory !== undefined; directory = pending.pop())
		for (const inode of directory.values()) {
			if (inode.type === "directory") pending.push(inode.entries);
			else if (inode.type === "file") files.add(inode);
			yield;
		}
	return files;
}

export function entryAt(root: RootDirectory, path: ByteString): RootInode | undefined {
	let at: RootInode | undefined = root;
	for (const name of path.split("/")) at = at?.type === "directory" ? at.entries.get(name) : undefined;
	return at;
}

export function directoryAt(root: RootDirectory, path: ByteString): RootDirectory | undefined {
	const found = entryAt(root, path);
	return found?.type === "directory" ? found : undefined;
}

/** Throws `Oci2isoError` STORE_INVALID (exit 5). */
export function storeInvalid(what: string, where: string, expected?: string): Oci2isoError {
	return corrupt("STORE_INVALID", what, where, expected);
}
