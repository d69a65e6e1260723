import type { ProcessCost } from "../measure/threads.ts";
import { median, pairedRatio } from "../statistics.ts";
import type { AgainstResults, AgainstRow } from "./run.ts";

/** Of machines that a build may run on. */
const PROCESSORS = [8, 16];

/** The table of what this build takes of what another one takes. */
export function againstMarkdown({ image, build, rows }: AgainstResults): string {
	const trials = Math.max(0, ...rows.map(({ ours }) => ours.length));
	return [
		`### Against the build in ${build}: ${image}`,
		"",
		`Ratios round by round, medians of at most ${trials}; busiest: the thread that took most processor time. On more processors nothing ends before the`,
		"main thread does, nor before all threads together would: the last columns say how much that is, on paper.",
		"",
		`| | wall | CPU | busiest thread | peak memory | wall s | CPU s | busiest s | peak MB | ${PROCESSORS.map((count) => `${count} processors s`).join(" | ")} |`,
		`|---|---:|---:|---:|---:|---:|---:|---:|---:|${PROCESSORS.map(() => "---:|").join("")}`,
		...rows.map(line),
		"",
	].join("\n");
}

function line({ what, ours, theirs }: AgainstRow): string {
	const figures = ["wallSeconds", "cpuSeconds", "busiestSeconds", "peakBytes"] as const;
	const of = (costs: readonly ProcessCost[], figure: (typeof figures)[number]) => costs.map((cost) => cost[figure]);
	const ratios = figures.map((figure) => pairedRatio(of(ours, figure), of(theirs, figure))?.median.toFixed(2) ?? "");
	const [wall, cpu, busiest, peak] = figures.map((figure) => median(of(ours, figure)));
	const own = [wall, cpu, busiest].map((seconds = Number.NaN) => seconds.toFixed(2));
	const main = median(ours.map(({ mainSeconds }) => mainSeconds));
	const onPaper = PROCESSORS.map((count) => Math.max(main, (cpu ?? Number.NaN) / count).toFixed(2));
	return `| ${[what, ...ratios, ...own, ((peak ?? Number.NaN) / 1e6).toFixed(0), ...onPaper].join(" | ")} |`;
}
