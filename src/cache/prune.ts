import { closeSync, constants, lstatSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Steps } from "../binary/turns.ts";
import { isOfStore, type StoreDirectory, type StoreFile } from "./store-directory.ts";

const LOCK = "prune.lock";
/** Longer than any pruning takes; one that is older was left behind by a process that was killed. */
const STALE_LOCK_MILLISECONDS = 60_000;

/**
 * Removes what was used longest ago until at most `maxBytes` are left, and what killed processes left behind; a file a step. Returns what was removed.
 * Does nothing while another process prunes. Files that are open elsewhere stay readable there.
 */
export function* pruneStore(directory: StoreDirectory, maxBytes: number, nowMilliseconds: number): Steps<StoreFile[]> {
	const lock = join(directory.path, LOCK);
	if (!takeLock(lock, nowMilliseconds)) return [];
	try {
		yield* directory.removingStaleTemporaries(nowMilliseconds);
		const removed: StoreFile[] = [];
		let bytes = 0;
		for (const file of yield* directory.listing()) {
			yield;
			if (!isOfStore(file)) continue;
			bytes += file.byteLength;
			if (bytes <= maxBytes) continue;
			bytes -= file.byteLength;
			directory.remove(file.kind, file.name);
			removed.push(file);
		}
		return removed;
	} finally {
		rmSync(lock, { force: true });
	}
}

function takeLock(path: string, nowMilliseconds: number): boolean {
	const stats = lstatSync(path, { throwIfNoEntry: false });
	if (stats !== undefined && Math.abs(nowMilliseconds - stats.mtimeMs) > STALE_LOCK_MILLISECONDS)
		rmSync(path, { force: true });
	try {
		closeSync(openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600));
		return true;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
		throw error;
	}
}
