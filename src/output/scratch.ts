import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Oci2isoError } from "../errors.ts";

/** A directory of this process alone. */
interface ScratchDirectory {
	readonly path: string;
	/** Removes it with everything in it. The end of the process does so too. */
	remove(): void;
}

/** Makes one in the system's temporary directory. Throws `Oci2isoError` TEMPORARY_DIRECTORY_UNWRITABLE (exit 6). */
export function makeScratchDirectory(purpose: string): ScratchDirectory {
	let path: string;
	try {
		path = mkdtempSync(join(tmpdir(), `oci2iso-${purpose}-`));
	} catch (cause) {
		throw scratchError(tmpdir(), cause);
	}
	const remove = (): void => {
		process.off("exit", remove);
		rmSync(path, { recursive: true, force: true });
	};
	process.once("exit", remove);
	return { path, remove };
}

/** What a failed system call on the temporary directory means. */
export function scratchError(where: string, cause: unknown): Oci2isoError {
	const number = (cause as NodeJS.ErrnoException | undefined)?.code ?? "unknown error";
	const isFull = number === "ENOSPC" || number === "EDQUOT" || number === "EFBIG";
	return new Oci2isoError({
		code: isFull ? "TEMPORARY_DIRECTORY_FULL" : "TEMPORARY_DIRECTORY_UNWRITABLE",
		kind: "output",
		what: isFull ? "the temporary directory has no room left" : `the temporary directory cannot be used: ${number}`,
		where,
		remedy: "point TMPDIR at a directory with room that you may write to",
		cause,
	});
}

/** Bytes that this user may still write to the file system of `path`; undefined where nobody can say. */
export function freeBytesAt(path: string): number | undefined {
	try {
		const { bavail, bsize, blocks } = statfsSync(path);
		// some file systems count nothing
		return blocks === 0 ? undefined : bavail * bsize;
	} catch {
		return undefined;
	}
}
