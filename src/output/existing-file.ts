import { closeSync, constants, openSync, type Stats, statSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { dirname } from "node:path";
import { outputError } from "./file-target.ts";

const STICKY = 0o1000;

/** Throws `Oci2isoError` (exit 6) where it can be seen beforehand that the file at `path` cannot be replaced: others' in a sticky directory, immutable ones. */
export function mayReplace(path: string, existing: Stats): void {
	const user = process.geteuid?.() ?? 0;
	const directory = statSync(dirname(path));
	const isSticky = (directory.mode & STICKY) !== 0;
	if (user !== 0 && isSticky && existing.uid !== user && directory.uid !== user)
		throw outputError(path, { code: "EPERM" });
	try {
		closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK));
	} catch (cause) {
		const { code } = cause as NodeJS.ErrnoException;
		// one without permission to write, or a running program, can be replaced all the same
		if (code === "EPERM" || code === "EROFS") throw outputError(path, cause);
	}
}

/** Writes the content of `from` into the file `to`: its blocks where the file system can share them. */
export async function copyOver(from: string, to: string): Promise<void> {
	try {
		await copyFile(from, to, constants.COPYFILE_FICLONE);
	} catch (cause) {
		throw outputError(to, cause);
	}
}
