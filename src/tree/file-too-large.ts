import { displayName } from "../binary/byte-string.ts";
import { corrupt, type Oci2isoError } from "../errors.ts";
import type { DirectoryInode, FileInode } from "./inode.ts";
import { walk } from "./walk.ts";

/** FILE_TOO_LARGE, with the file's first path. Throws `LowerLayersNeeded` where only those may say it. */
export function fileTooLarge(root: DirectoryInode, file: FileInode, maxBytes: number): Oci2isoError {
	let where: string | undefined;
	for (const { path, inode } of walk(root)) {
		if (inode !== file) continue;
		where = `/${displayName(path)}`;
		break;
	}
	const what = `a file of ${file.byteLength} bytes is too large for its purpose`;
	return corrupt("FILE_TOO_LARGE", what, where, `at most ${maxBytes} bytes`);
}
