import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { BuildReport } from "../../src/index.ts";
import { startRegistry } from "../../test/support/registry.ts";
import { addLayer } from "../changed-image.ts";
import { timedChild } from "../measure/child.ts";

const MAIN = join(import.meta.dirname, "../../dist/cli/main.js");
/** Of the image's layers. */
const CHANGED_SHARE = 0.01;

/** What one build fetched and cost. */
export interface SharedRow {
	readonly what: string;
	/** Of the image's layers, out of its repository. */
	readonly layerBytes: number;
	/** Out of the shared cache. */
	readonly cacheBytes: number;
	/** Into the shared cache. */
	readonly sentBytes: number;
	readonly cpuSeconds: number;
	readonly wallSeconds: number;
}

export interface SharedResults {
	readonly image: string;
	readonly layerBytes: number;
	/** Of the layer that came on top. */
	readonly changedBytes: number;
	readonly rows: readonly SharedRow[];
}

/** Builds an image from a registry on machines that share a cache there: the first, one with an empty disk, and both after a layer came on top. */
export async function measureShared(name: string, layout: string, work: string): Promise<SharedResults> {
	mkdirSync(work, { recursive: true });
	const registry = await startRegistry({ storage: join(work, "registry") });
	try {
		const changed = join(work, "changed");
		const push = (from: string, tag: string): void => {
			const flags = ["--insecure-policy", "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false"];
			execFileSync("skopeo", [...flags, from, `docker://${registry.host}/live/image:${tag}`], { stdio: "inherit" });
		};
		push(`oci:${layout}`, "1");
		const machine = (number: number): string[] => ["--cache", join(work, `machine-${number}`)];
		const reference = `${registry.host}/live/cache:main`;
		const run = (what: string, tag: string, options: readonly string[]): SharedRow & { report: BuildReport } => {
			const image = `docker://${registry.host}/live/image:${tag}`;
			return measured(what, [image, "--tls-verify=false", ...options], work);
		};
		const plain = run("without a cache", "1", ["--no-cache"]);
		const first = run("first build, --cache-to", "1", [...machine(1), "--cache-to", reference]);
		const layerBytes = first.report.layers.reduce((sum, { compressedBytes }) => sum + compressedBytes, 0);
		const changedBytes = await addLayer(layout, changed, CHANGED_SHARE * layerBytes);
		push(`oci:${changed}`, "2");
		const rows = [
			plain,
			first,
			run("empty disk, --cache-from", "1", [...machine(2), "--cache-from", reference]),
			run("a layer on top: the first machine", "2", [...machine(1), "--cache-from", reference]),
			run("a layer on top: empty disk, --cache-from", "2", [...machine(3), "--cache-from", reference]),
		];
		return { image: name, layerBytes, changedBytes, rows: rows.map(({ report: _, ...row }) => row) };
	} finally {
		await registry.stop();
		rmSync(work, { recursive: true, force: true });
	}
}

function measured(what: string, args: readonly string[], work: string): SharedRow & { report: BuildReport } {
	const report = join(work, "report.json");
	const output = join(work, "image.iso");
	const time = timedChild(process.execPath, [
		MAIN,
		"build",
		...args,
		"-o",
		output,
		"--overwrite",
		"--progress",
		"none",
		"--report",
		report,
	]);
	const parsed = JSON.parse(readFileSync(report, "utf8")) as BuildReport;
	const { from = [], to } = parsed.sharedCache ?? {};
	return {
		what,
		layerBytes: parsed.layers.reduce((sum, { transfer }) => sum + (transfer?.fetchedBytes ?? 0), 0),
		cacheBytes: from.reduce((sum, { fetchedBytes }) => sum + fetchedBytes, 0),
		sentBytes: to?.uploadedBytes ?? 0,
		...time,
		report: parsed,
	};
}
