import { median } from "../statistics.ts";
import type { MemoryPeaks, MemoryResults } from "./run.ts";

/** The table of what an image takes, and one of three times its size. */
export function memoryMarkdown({ image, rows }: MemoryResults): string {
	const trials = rows[0]?.image.peaks.length ?? 0;
	const cells = ({ tarBytes, inodes, peaks }: MemoryPeaks): string[] => [
		(tarBytes / 1e9).toFixed(2),
		String(inodes),
		(median(peaks) / 1e6).toFixed(0),
	];
	const lines = rows.map(({ name, image: one, grown }) => {
		const ratio = median(grown.peaks) / median(one.peaks);
		return `| ${[name, ...cells(one), ...cells(grown), ratio.toFixed(2)].join(" | ")} |`;
	});
	return [
		`### Memory: ${image}, and three times over`,
		"",
		`Most resident memory of all processes; medians of ${trials} trials.`,
		"",
		"| | layers GB | inodes | peak MB | layers GB | inodes | peak MB | ratio |",
		"|---|---:|---:|---:|---:|---:|---:|---:|",
		...lines,
		"",
	].join("\n");
}
