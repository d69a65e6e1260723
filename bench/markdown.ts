import { type ImageResults, type Results, ratioOf, type Summary, summarise } from "./results.ts";
import type { Ratio } from "./statistics.ts";

const NONE = "–";

/** The results as Markdown, for people. */
export function toMarkdown(results: Results): string {
	const { machine, trials, command } = results;
	const versions = Object.values(machine.versions).join("; ");
	return [
		`# oci2iso benchmark`,
		`\`${command}\` on ${machine.processors} × ${machine.processor}, ${gib(machine.memoryBytes)} GiB, Linux ${machine.kernel}, Node ${machine.node}; ${versions}.`,
		`Medians of ${trials} ${trials === 1 ? "trial" : "trials"}, each in a process of its own, all contenders taking turns; input in the page cache. Ratios are medians of the ratios within one round, with the smallest and the largest. CPU is user and system time of every process that took part. Resident memory is the most that all processes of a trial held together, looked at every 20 ms or so (a page that two share counts twice), or any one's own peak where that is more. Scratch is disk space beside the output. Written and read are what system calls moved, pipes and cached files included. oci2iso waits until its ISO is on the disk (fsync); the others do not.`,
		...(machine.load > machine.processors / 4
			? [`**The machine was busy (load ${machine.load.toFixed(1)}): do not quote these numbers.**`]
			: []),
		...results.images.map(imageSection),
		...(results.micro.length > 0 ? [microSection(results)] : []),
		...(results.skipped.length > 0 ? [results.skipped.map((line) => `- ${line}`).join("\n")] : []),
		"",
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
		const cells = [isOurs ? `**${name}**` : name, ...summaryCells(summary)];
		const ratios = isOurs
			? [NONE, NONE]
			: [ratioOf(image, ours, name, "wallSeconds"), ratioOf(image, ours, name, "cpuSeconds")].map(ratioText);
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

function ratioText(ratio: Ratio | undefined): string {
	if (ratio === undefined) return NONE;
	const { median, min, max } = ratio;
	return min === max ? fixed(median, 3) : `${fixed(median, 3)} (${fixed(min, 3)}–${fixed(max, 3)})`;
}

function fixed(value: number, digits: number): string {
	return Number.isFinite(value) ? value.toFixed(digits) : NONE;
}

function mb(bytes: number): string {
	return fixed(bytes / 1e6, 1);
}

function gib(bytes: number): string {
	return fixed(bytes / 2 ** 30, 0);
}
