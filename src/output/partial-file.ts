import { randomBytes } from "node:crypto";
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { loadNativeAddon } from "../native/addon.ts";
import { FileTarget, outputError } from "./file-target.ts";

/** NAME_MAX of Linux's file systems. */
const MAX_NAME_BYTES = 255;
const SUFFIX = /\.[0-9a-f]{8}\.partial$/;
/** What cannot be locked and was not written to for so long is somebody's unfinished work no more, perhaps. */
const IDLE_MILLISECONDS = 3600_000;

/** A file that is to become `path`, beside it under a name of its own, locked as long as it is open. Throws as `outputError`. */
export function createPartial(path: string): FileTarget {
	for (;;) {
		const name = `${prefixFor(path)}.${randomBytes(4).toString("hex")}.partial`;
		const target = FileTarget.create(join(dirname(path), name), (cause) => outputError(path, cause));
		// who looked for stale ones in between took this for one
		if (lock(target.descriptor) !== "held" && fstatSync(target.descriptor).nlink > 0) return target;
		target.close();
		rmSync(target.path, { force: true });
	}
}

/**
 * Removes what builds to `path` left that were killed: nobody holds its lock, whichever container or process id its builder had. Returns the paths
 * of what may be such and cannot be locked, which is left there.
 */
export function removeStalePartials(path: string): string[] {
	const prefix = prefixFor(path);
	const doubtful: string[] = [];
	for (const name of namesIn(dirname(path))) {
		if (!name.startsWith(prefix) || name.replace(SUFFIX, "") !== prefix) continue;
		const partial = join(dirname(path), name);
		try {
			const flags = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;
			const descriptor = openSync(partial, flags);
			try {
				const state = lock(descriptor);
				if (state === "ours") rmSync(partial, { force: true });
				else if (state === "unknown" && Date.now() - fstatSync(descriptor).mtimeMs > IDLE_MILLISECONDS)
					doubtful.push(partial);
			} finally {
				closeSync(descriptor);
			}
		} catch {
			if (lstatSync(partial, { throwIfNoEntry: false }) !== undefined) doubtful.push(partial);
		}
	}
	return doubtful;
}

/** `.NAME`, cut so that a name can be made of it. */
function prefixFor(path: string): string {
	const name = path.slice(dirname(path).length).replace(/^\//, "");
	const room = MAX_NAME_BYTES - ". .01234567.partial".length;
	let cut = name;
	while (Buffer.byteLength(cut) > room) cut = [...cut].slice(0, -1).join("");
	return `.${cut}`;
}

function lock(descriptor: number): "ours" | "held" | "unknown" {
	switch (loadNativeAddon().addon?.lockFile?.(descriptor)) {
		case 1:
			return "ours";
		case 0:
			return "held";
		default:
			return "unknown";
	}
}

function namesIn(directory: string): string[] {
	try {
		return readdirSync(directory);
	} catch {
		return [];
	}
}
