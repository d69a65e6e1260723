import { constants, openSync, type Stats } from "node:fs";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { isatty } from "node:tty";
import { unreadable, unsupported } from "./failures.ts";

/** Whether a path means standard input. */
export function isStandardInput(path: string): boolean {
	return ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].includes(path);
}

/**
 * What comes through standard input or a pipe; nothing has been read yet, and a pipe that nobody writes to keeps no thread waiting.
 * Throws `Oci2isoError` IMAGE_NOT_AN_ARCHIVE (exit 2) for a terminal, another device, or standard input that was read before.
 */
export function openInputStream(path: string, status: Stats): Readable {
	if (isStandardInput(path)) {
		if (isatty(0)) throw notAnArchive("standard input is a terminal", path, PIPE_ONE);
		if (process.stdin.destroyed || process.stdin.readableEnded)
			throw notAnArchive("standard input was read already", path, "store the archive in a file");
		return process.stdin;
	}
	if (!status.isFIFO()) throw notAnArchive("neither a regular file nor a pipe", path, "name a file, or - and pipe it");
	try {
		// opening it in the usual way would wait for a writer, and so would the end of the process
		const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
		return new Socket({ fd, readable: true, writable: false });
	} catch (error) {
		throw unreadable(error, path);
	}
}

const PIPE_ONE = "pipe an archive into it: podman save --format oci-archive IMAGE | oci2iso build oci-archive:-";

function notAnArchive(what: string, where: string, remedy: string) {
	return unsupported("IMAGE_NOT_AN_ARCHIVE", what, where, remedy);
}
