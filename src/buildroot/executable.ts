import { type ByteString, displayName } from "../binary/byte-string.ts";
import { Oci2isoError } from "../errors.ts";
import type { Found, ImageTree } from "../tree/image-tree.ts";
import type { FileInode } from "../tree/inode.ts";

/** A regular file of the image, at its canonical path. */
export interface FoundFile {
	readonly path: ByteString;
	readonly inode: FileInode;
}

/** Where a root shell in the image would look. */
const PATH = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"] as const;

/**
 * The first of `names` that is an executable regular file on the image's PATH, its symbolic links resolved inside the image.
 * Earlier names win over earlier directories.
 */
export function findExecutable(tree: ImageTree, names: readonly string[]): FoundFile | undefined {
	for (const name of names) {
		for (const directory of PATH) {
			const found = lookupFile(tree, `${directory}/${name}`);
			if (found !== undefined && (found.inode.mode & 0o111) !== 0) return found;
		}
	}
	return undefined;
}

/** The regular file at `path`, or undefined where there is none, as where its links lead in circles. */
export function lookupFile(tree: ImageTree, path: ByteString): FoundFile | undefined {
	const found = lookupQuietly(tree, path);
	return found?.inode.type === "file" ? { path: found.path, inode: found.inode } : undefined;
}

/** Like `tree.lookup`, but a symbolic link loop is a path where nothing is: programs that search several places go on. */
export function lookupQuietly(tree: ImageTree, path: ByteString): Found | undefined {
	try {
		return tree.lookup(path);
	} catch (error) {
		if (error instanceof Oci2isoError) return undefined;
		throw error;
	}
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
