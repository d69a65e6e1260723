import { setTimeout } from "node:timers/promises";
import { Oci2isoError, throwIfAborted } from "../../errors.ts";
import { loadNativeAddon } from "../../native/addon.ts";
import { openStoreFile } from "./store-file.ts";

const PATIENCE_MILLISECONDS = 60_000;
const PAUSE_MILLISECONDS = 20;

/**
 * Does `work` while nobody writes what the lock file is for: with the shared lock that podman takes to read, which it never keeps anybody from. Without one where there
 * is no such file, as in stores that nobody writes, and without the addon: files of a store are replaced whole.
 * Throws `Oci2isoError` STORE_BUSY (exit 6) where somebody writes for longer than a minute.
 */
export async function whileUnwritten<Result>(
	path: string,
	work: () => Promise<Result>,
	signal?: AbortSignal,
): Promise<Result> {
	const file = await openStoreFile(path);
	try {
		const deadline = performance.now() + PATIENCE_MILLISECONDS;
		while (file !== undefined && loadNativeAddon().addon?.lockFileShared?.(file.fd) === 0) {
			throwIfAborted(signal);
			if (performance.now() > deadline) throw busy(path);
			await setTimeout(PAUSE_MILLISECONDS);
		}
		return await work();
	} finally {
		await file?.close();
	}
}

function busy(where: string) {
	return new Oci2isoError({
		code: "STORE_BUSY",
		kind: "environment",
		what: "another program has been writing the store for a minute",
		where,
		remedy: "try again when it is done",
	});
}
