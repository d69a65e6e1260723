import { MiB } from "../binary/units.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { FileInode } from "../tree/inode.ts";
import { lookupQuietly } from "../tree/lookup-quietly.ts";
import { sortedEntries } from "../tree/walk.ts";

/**
 * Versions of libselinux that choose between specifications alike. Before 3.8 they are a list; from 3.8 on they are a tree of directories. 3.8 and 3.8.1 also take a literal path of
 * the distribution's file before one of `file_contexts.local`, and the first substitution that applies in place of the last.
 */
export type LibraryRules = "before 3.8" | "3.8" | "3.9";

const NAME = "libselinux.so.1";
const PLACES = ["/usr/lib64", "/usr/lib", "/lib64", "/lib"];
const MAX_LIBRARY_BYTES = 16 * MiB;
/** Of what 3.8 and 3.9 began to say: a version that a distribution changed is known by what it does. */
const SAYS_38 = "failed to simplify regex";
const SAYS_39 = "regex of length %zu too long";

/** The image's libselinux; undefined where it has none. */
export function findLibrary(tree: ImageTree): FileInode | undefined {
	for (const place of PLACES) {
		const found = lookupQuietly(tree, place)?.inode;
		if (found?.type !== "directory") continue;
		const below = sortedEntries(found).flatMap(([name, { type }]) =>
			type === "directory" ? [`${place}/${name}`] : [],
		);
		for (const directory of [place, ...below]) {
			const library = lookupQuietly(tree, `${directory}/${NAME}`)?.inode;
			if (library?.type === "file") return library;
		}
	}
	return undefined;
}

/** What the image's own library does; of the newest where there is none. */
export async function readLibraryRules(tree: ImageTree): Promise<LibraryRules> {
	const library = findLibrary(tree);
	if (library === undefined || library.byteLength > MAX_LIBRARY_BYTES) return "3.9";
	const bytes = Buffer.from(await tree.read(library, MAX_LIBRARY_BYTES));
	if (!bytes.includes(SAYS_38)) return "before 3.8";
	return bytes.includes(SAYS_39) ? "3.9" : "3.8";
}
