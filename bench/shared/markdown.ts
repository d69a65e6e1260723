import type { SharedResults } from "./run.ts";

/** The table of what went over the network. */
export function sharedMarkdown({ image, layerBytes, changedBytes, rows }: SharedResults): string {
	const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(2);
	const lines = rows.map(
		({ what, layerBytes: layers, cacheBytes, sentBytes, cpuSeconds, wallSeconds }) =>
			`| ${[what, megabytes(layers), megabytes(cacheBytes), megabytes(sentBytes), cpuSeconds.toFixed(2), wallSeconds.toFixed(2)].join(" | ")} |`,
	);
	return [
		`### A cache shared through a registry: ${image}`,
		"",
		`Layers of ${megabytes(layerBytes)} MB; the one that came on top has ${megabytes(changedBytes)} MB. One run each.`,
		"",
		"| build | of layers, MB | of the cache, MB | sent, MB | CPU s | wall s |",
		"|---|---|---|---|---|---|",
		...lines,
		"",
	].join("\n");
}
