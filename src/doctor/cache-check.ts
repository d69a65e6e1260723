import { statSync } from "node:fs";
import { formatSize } from "../binary/format-size.ts";
import { inTurns } from "../binary/turns.ts";
import { StoreDirectory } from "../cache/store-directory.ts";
import type { Findings } from "../findings/findings.ts";

/** What is kept of earlier builds, and whether it will be used. */
export async function checkCache(
	findings: Findings,
	path: string | undefined,
	signal: AbortSignal | undefined,
): Promise<void> {
	if (path === undefined)
		return findings.warn("CACHE", "neither XDG_CACHE_HOME nor HOME says where the cache is: none is used", {
			remedy: "--cache DIR",
		});
	if (!isThere(path)) return findings.ok("CACHE", "there is no cache yet", path);
	const store = StoreDirectory.open(path, { create: false });
	if (!(store instanceof StoreDirectory)) return findings.warn("CACHE", store, { remedy: "--cache DIR" });
	const files = await inTurns(store.listing(), signal);
	const bytes = files.reduce((sum, { byteLength }) => sum + byteLength, 0);
	findings.ok("CACHE", `the cache has ${files.length} files of ${formatSize(bytes)}`, path);
	const unfinished = store.unfinished();
	if (unfinished > 0)
		findings.choice({
			code: "CACHE",
			what: `${unfinished} files are being written by builds, or were by ones that were killed`,
			remedy: "a build removes what nobody writes any more",
		});
}

function isThere(path: string): boolean {
	try {
		return statSync(path, { throwIfNoEntry: false }) !== undefined;
	} catch {
		return true;
	}
}
