import { median } from "../statistics.ts";
import type { CacheResults } from "./run.ts";

/** The table of what a cache costs and saves; shares are of the first row. */
export function cacheMarkdown(results: CacheResults): string {
	const { image, layerBytes, changedBytes, storeBytes, squashfsBytes, rows } = results;
	const medians = rows.map(({ what, trials }) => ({
		what,
		wallSeconds: median(trials.map((trial) => trial.wallSeconds)),
		cpuSeconds: median(trials.map((trial) => trial.cpuSeconds)),
	}));
	const [cold] = medians;
	const lines = medians.map(({ what, wallSeconds, cpuSeconds }) => {
		const shares = [wallSeconds / (cold?.wallSeconds ?? 1), cpuSeconds / (cold?.cpuSeconds ?? 1)];
		const cells = [wallSeconds.toFixed(2), shares[0]?.toFixed(3), cpuSeconds.toFixed(2), shares[1]?.toFixed(3)];
		return `| ${[what, ...cells].join(" | ")} |`;
	});
	const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
	return [
		`### A cache, zstd 15, 128 KiB blocks: ${image}`,
		"",
		`Layers of ${megabytes(layerBytes)} MB and one of ${megabytes(changedBytes)} MB on top that changes. Medians of ${rows[0]?.trials.length ?? 0} trials. The cache`,
		`takes ${megabytes(storeBytes)} MB for a squashfs of ${megabytes(squashfsBytes)} MB (${(storeBytes / squashfsBytes).toFixed(3)}).`,
		"",
		"| | wall s | of cold | CPU s | of cold |",
		"|---|---:|---:|---:|---:|",
		...lines,
		"",
	].join("\n");
}
