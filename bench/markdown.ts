import type { Machine } from "./machine.ts";
import { type ImageResults, type Results, ratioOf, type Summary, summarise } from "./results.ts";
import { LONG_TRIAL_SECONDS } from "./run-rounds.ts";
import type { Ratio } from "./statistics.ts";

export const NONE = "–";

/** The results as Markdown, for people. */
export function toMarkdown(results: Results): string {
	const { trials } = results;
	return [
		`# oci2iso benchmark`,
		describeRun(results),
		`Medians of ${trials} ${trials === 1 ? "trial" : "trials"}, three of what takes over ${LONG_TRIAL_SECONDS} seconds, each in a process of its own, all contenders taking turns; input in the page cache. Ratios are medians of the ratios within one round, with the smallest and the largest. CPU is user and system time of every process that took part. Resident memory is the most that all processes of a trial held together, looked at every 20 ms or so (a page that two share counts twice), or any one's own peak where that is more. Scratch is disk space beside the output. Written and read are what system calls moved, pipes and cached files included. oci2iso waits until its ISO is on the disk (fsync); the others do not.`,
		...results.images.map(imageSection),
		...(results.micro.length > 0 ? [microSection(results)] : []),
		...(results.skipped.length > 0 ? [results.skipped.map((line) => `- ${line}`).join("\n")] : []),
		"",
	].join("\n\n");
}

/** The command, the machine and the versions; and a warning where the machine had other work. */
export function describeRun({ command, machine }: { readonly command: string; readonly machine: Machine }): string {
	const versions = Object.values(machine.versions).join("; ");
	const busy = machine.load > machine.processors / 4;
	return [
		`\`${command}\` on ${machine.processors} × ${machine.processor}, ${gib(machine.memoryBytes)} GiB, Linux ${machine.kernel}, Node ${machine.node}; ${versions}.`,
		...(busy ? [`**The machine was busy (load ${machine.load.toFixed(1)}): do not quote these numbers.**`] : []),
	].join("\n\n");
}

function imageSection(image: ImageResults): string {
	return [
		`## ${image.name}: ${mb(image.layerBytes)} MB of layers`,
		...image.comparisons.map((comparison) => comparisonSection(image, comparison)),
		...(image.scaling.length > 0 ? [scalingSection(image)] : []),
		phasesSection(image),
	].join("\n\n");
}

const COLUMNS = [
	...["", "wall s", "CPU s", "memory MiB", "scratch MB", "written MB", "read MB", "squashfs MB", "output MB"],
	...["oci2iso / it, wall", "oci2iso / it, CPU"],
];

function comparisonSection(image: ImageResults, comparison: ImageResults["comparisons"][number]): string {
	const { title, ours, peers } = comparison;
	const rows = [ours, ...peers].flatMap((name) => {
		const summary = summarise(image.rounds[name] ?? []);
		if (summary === undefined) return [];
		const isOurs = name === ours;
		const shown = summary.trials < (image.rounds[name]?.length ?? 0) ? `${name} (${summary.trials} trials)` : name;
		const cells = [isOurs ? `**${shown}**` : shown, ...summaryCells(summary)];
		const ratios = isOurs
			? [NONE, NONE]
			: [ratioOf(image, ours, name, "wallSeconds"), ratioOf(image, ours, name, "cpuSeconds")].map((ratio) =>
					ratioText(ratio),
				);
		return [[...cells, ...ratios]];
	});
	const limit = image.limits[ours];
	const wall = summarise(image.rounds[ours] ?? [])?.wallSeconds;
	if (limit !== undefined && wall !== undefined) {
		const seconds = limit.cpuSeconds / limit.threads;
		rows.push([
			`limit: the same ${limit.blocks} blocks in a bare loop, CPU / ${limit.threads}`,
			...[fixed(seconds, 2), fixed(limit.cpuSeconds, 2), ...Array.from({ length: 4 }, () => NONE)],
			...[mb(limit.outputBytes), NONE, fixed(wall / seconds, 2), NONE],
		]);
	}
	return `### ${title}\n\n${table(COLUMNS, rows)}`;
}

function summaryCells(summary: Summary): string[] {
	return [
		fixed(summary.wallSeconds, 2),
		fixed(summary.cpuSeconds, 2),
		fixed(summary.peakResidentBytes / 2 ** 20, 0),
		mb(summary.peakScratchBytes),
		mb(summary.writtenBytes),
		mb(summary.readBytes),
		summary.squashfsBytes === undefined ? NONE : mb(summary.squashfsBytes),
		mb(summary.outputBytes),
	];
}

function scalingSection(image: ImageResults): string {
	const [single] = image.scaling;
	const rows = image.scaling.flatMap(({ threads, name }) => {
		const summary = summarise(image.rounds[name] ?? []);
		if (summary === undefined || single === undefined) return [];
		const speedUp = ratioOf(image, single.name, name, "wallSeconds");
		return [[name, String(threads), fixed(summary.wallSeconds, 2), fixed(summary.cpuSeconds, 2), ratioText(speedUp)]];
	});
	return `### Threads\n\n${table(["", "threads", "wall s", "CPU s", "times as fast as with 1"], rows)}`;
}

function phasesSection(image: ImageResults): string {
	const rows = Object.entries(image.rounds).flatMap(([name, rounds]) => {
		const phases = Object.entries(summarise(rounds)?.phases ?? {});
		return phases.length === 0 ? [] : [[name, phases.map(([phase, s]) => `${phase} ${fixed(s, 2)}`).join(", ")]];
	});
	return rows.length === 0 ? "" : `### Where the time goes\n\n${table(["", "wall s of each step"], rows)}`;
}

function microSection({ micro }: Results): string {
	const speed = (value: number): string => fixed(value, value < 100 ? 1 : 0);
	const rows = micro.map(({ name, megabytesPerSecond, megabytesPerCpuSecond, ratio }) => [
		name,
		speed(megabytesPerSecond),
		megabytesPerCpuSecond === undefined ? NONE : speed(megabytesPerCpuSecond),
		ratio === undefined ? NONE : fixed(ratio, 3),
	]);
	return `## Hot functions, each in a process of its own\n\n${table(["", "MB/s", "MB per CPU s", "in / out"], rows)}`;
}

export function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
	const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
	const rule = columns.map((_, i) => (i === 0 ? "---" : "---:"));
	return [line(columns), line(rule), ...rows.map(line)].join("\n");
}

export function ratioText(ratio: Ratio | undefined, digits = 3): string {
	if (ratio === undefined) return NONE;
	const { median, min, max } = ratio;
	return min === max ? fixed(median, digits) : `${fixed(median, digits)} (${fixed(min, digits)}–${fixed(max, digits)})`;
}

export function fixed(value: number, digits: number): string {
	return Number.isFinite(value) ? value.toFixed(digits) : NONE;
}

export function mb(bytes: number): string {
	return fixed(bytes / 1e6, 1);
}

function gib(bytes: number): string {
	return fixed(bytes / 2 ** 30, 0);
}
