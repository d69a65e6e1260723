import { type ByteString, displayName } from "../binary/byte-string.ts";
import { Oci2isoError } from "../errors.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { FileInode } from "../tree/inode.ts";
import { lookupQuietly } from "../tree/lookup-quietly.ts";

/** A regular file of the image, at its canonical path. */
export interface FoundFile {
	readonly path: ByteString;
	readonly inode: FileInode;
}

/** Where a root shell in the image would look. */
const PATH = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"] as const;

/**
 * The first of `names` that is an executable regular file on the image's PATH, its symbolic links resolved inside the image.
 * Earlier names win over earlier directories. What is there but cannot be run is passed over, as shells do.
 */
export function findExecutable(tree: ImageTree, names: readonly string[]): FoundFile | undefined {
	for (const path of candidates(names)) {
		const found = lookupFile(tree, path);
		if (found !== undefined && isExecutable(found.inode)) return found;
	}
	return undefined;
}

/** What `findExecutable` passed over first, and why it cannot be run. */
interface Unusable {
	readonly path: ByteString;
	/** "a symbolic link to …, which is a directory" */
	readonly what: string;
}

/** For an image where `findExecutable` found nothing. */
export function findUnusable(tree: ImageTree, names: readonly string[]): Unusable | undefined {
	for (const path of candidates(names)) {
		const what = whyUnusable(tree, path);
		if (what !== undefined) return { path, what };
	}
	return undefined;
}

function* candidates(names: readonly string[]): Iterable<ByteString> {
	for (const name of names) for (const directory of PATH) yield `${directory}/${name}`;
}

function isExecutable(inode: FileInode): boolean {
	return (inode.mode & 0o111) !== 0;
}

function whyUnusable(tree: ImageTree, path: ByteString): string | undefined {
	const entry = lookupQuietly(tree, path, { followLast: false });
	if (entry === undefined) return undefined;
	const link = entry.inode.type === "symlink" ? `a symbolic link to ${displayName(entry.inode.target)}, which is ` : "";
	const end = lookupQuietly(tree, path);
	if (end === undefined) return `${link}missing or leads in a circle`;
	if (end.inode.type !== "file") return `${link}a ${end.inode.type}`;
	return isExecutable(end.inode) ? undefined : `${link}a file that nobody may execute`;
}

/** The regular file at `path`, or undefined where there is none, as where its links lead in circles. */
export function lookupFile(tree: ImageTree, path: ByteString): FoundFile | undefined {
	const found = lookupQuietly(tree, path);
	return found?.inode.type === "file" ? { path: found.path, inode: found.inode } : undefined;
}

/** The whole file; throws `Oci2isoError` TOOL_TOO_LARGE beyond `maxBytes`. */
export async function readToolFile(tree: ImageTree, file: FoundFile, maxBytes: number): Promise<Uint8Array> {
	if (file.inode.byteLength > maxBytes)
		throw new Oci2isoError({
			code: "TOOL_TOO_LARGE",
			kind: "tool",
			what: `a file of ${file.inode.byteLength} bytes`,
			where: displayName(file.path),
			expected: `at most ${maxBytes} bytes for what an image tool needs`,
			remedy: "use --tools builtin",
		});
	return tree.read(file.inode, maxBytes);
}
