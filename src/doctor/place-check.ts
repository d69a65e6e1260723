import { accessSync, constants, statfsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, resolve } from "node:path";
import { formatSize } from "../binary/format-size.ts";
import { GiB } from "../binary/units.ts";
import type { Findings } from "../findings/findings.ts";

/** Where less is free, a live system's ISO or the cache of one may have no room. */
const ENOUGH_BYTES = 4 * GiB;

/** Made where there is none. */
const CACHE = "the cache";

/** Room and rights where builds write. */
export function checkPlaces(findings: Findings, cache: string | undefined): void {
	checkPlace(findings, "the current directory", currentDirectory(), "name another place for the ISO with -o");
	checkPlace(
		findings,
		"the temporary directory",
		tmpdir(),
		"-o - keeps the ISO there on its way: point TMPDIR elsewhere",
	);
	if (cache !== undefined) checkPlace(findings, CACHE, cache, "point --cache elsewhere, or use --no-cache");
}

function checkPlace(findings: Findings, name: string, path: string | undefined, remedy: string): void {
	if (path === undefined) {
		findings.warn("PLACE", `${name} is gone`, { remedy });
		return;
	}
	try {
		const place = name === CACHE ? existing(resolve(path)) : path;
		accessSync(place, constants.W_OK | constants.X_OK);
		const { bavail, bsize } = statfsSync(place);
		const free = bavail * bsize;
		if (free < ENOUGH_BYTES) findings.warn("PLACE", `${name} has ${formatSize(free)} left`, { evidence: path, remedy });
		else findings.ok("PLACE", `${name} has ${formatSize(free)} left`, path);
	} catch (error) {
		const reason = (error as NodeJS.ErrnoException).code ?? "unknown error";
		findings.warn("PLACE", `${name} cannot be written: ${reason}`, { evidence: path, remedy });
	}
}

/** The directory itself, or the nearest above it that is there. */
function existing(path: string): string {
	const isThere = statSync(path, { throwIfNoEntry: false }) !== undefined;
	return isThere || dirname(path) === path ? path : existing(dirname(path));
}

function currentDirectory(): string | undefined {
	try {
		return process.cwd();
	} catch {
		return undefined;
	}
}
