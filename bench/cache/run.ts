import { createHash } from "node:crypto";
import { createReadStream, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { BuildReport } from "../../src/index.ts";
import { addLayer } from "../changed-image.ts";
import { type ChildTime, timedChild } from "../measure/child.ts";

const MAIN = join(import.meta.dirname, "../../dist/cli/main.js");
/** The reference's. */
const SETTINGS = ["--comp", "zstd", "--level", "15", "--block-size", "128K"];
/** Of the image's layers. */
const CHANGED_SHARE = 0.01;

/** One way to build, and how long each trial took. */
export interface CacheRow {
	readonly what: string;
	readonly trials: readonly ChildTime[];
}

export interface CacheResults {
	readonly image: string;
	/** Of all layers, and of the one on top that changes. */
	readonly layerBytes: number;
	readonly changedBytes: number;
	/** Of the cache that one build filled, and of that build's squashfs. */
	readonly storeBytes: number;
	readonly squashfsBytes: number;
	/** The first is the build without a cache; the last is a copy of the ISO. */
	readonly rows: readonly CacheRow[];
}

/** Builds an image without a cache, into an empty one, after its top layer changed, and again. Throws an `Error` where the bytes differ. */
export async function measureCache(
	{ name, layout, trials }: { readonly name: string; readonly layout: string; readonly trials: number },
	work: string,
): Promise<CacheResults> {
	const layerBytes = bytesIn(join(layout, "blobs"));
	const [first, second] = [join(work, "first"), join(work, "second")];
	const [cache, iso] = [join(work, "cache"), join(work, "image.iso")];
	mkdirSync(work, { recursive: true });
	await addLayer(layout, first, CHANGED_SHARE * layerBytes, "first");
	const changedBytes = await addLayer(layout, second, CHANGED_SHARE * layerBytes, "second");
	const rows = new Map<string, ChildTime[]>();
	const digests = new Set<string>();
	let [storeBytes, squashfsBytes] = [0, 0];
	const note = (what: string, time: ChildTime): void => void rows.set(what, [...(rows.get(what) ?? []), time]);
	const build = (image: string, ...options: string[]): ChildTime => {
		rmSync(iso, { force: true });
		const common = ["-o", iso, "--progress", "none", "--report", `${iso}.json`];
		return timedChild(process.execPath, [MAIN, "build", `oci:${image}`, ...common, ...SETTINGS, ...options]);
	};
	for (let round = 0; round < trials; round++) {
		rmSync(cache, { recursive: true, force: true });
		note("cold, without a cache", build(second, "--no-cache"));
		digests.add(await sha256(iso));
		note("cold, filling a cache", build(first, "--cache", cache));
		storeBytes = bytesIn(cache);
		squashfsBytes = (JSON.parse(readFileSync(`${iso}.json`, "utf8")) as BuildReport).squashfs.byteLength;
		note("the top layer has changed", build(second, "--cache", cache));
		digests.add(await sha256(iso));
		note("nothing has changed", build(second, "--cache", cache));
		digests.add(await sha256(iso));
		note("copy of the ISO, with sync", timedChild("sh", ["-c", 'cp "$0" "$0.copy" && sync "$0.copy"', iso]));
		rmSync(`${iso}.copy`);
	}
	if (digests.size !== 1) throw new Error("the ISO depends on the state of the cache");
	return {
		...{ image: name, layerBytes, changedBytes, storeBytes, squashfsBytes },
		rows: [...rows].map(([what, times]) => ({ what, trials: times })),
	};
}

function bytesIn(directory: string): number {
	return readdirSync(directory, { recursive: true, encoding: "utf8" })
		.map((name) => statSync(join(directory, name)))
		.reduce((sum, stats) => sum + (stats.isFile() ? stats.size : 0), 0);
}

async function sha256(path: string): Promise<string> {
	const hash = createHash("sha256");
	for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
	return hash.digest("hex");
}
