import { PRESET_NAMES, presets } from "../../src/options/presets.ts";
import { describeRun, fixed, mb, NONE, table } from "../markdown.ts";
import { median } from "../statistics.ts";
import { blockName, type Case, caseName } from "./cases.ts";
import { paretoFront } from "./front.ts";
import type { CasePoint, ImagePresets, PresetsResults, ReadRow } from "./results.ts";

/** What the weighing found, for people. */
export function presetsMarkdown(results: PresetsResults): string {
	return [
		"# oci2iso presets",
		describeRun(results),
		"Each build once, in a process of its own; CPU is user and system time of the whole build, or of everything that the peer started. Speeds of compressing and decoding are of a bare loop on one thread over a sample of the image's blocks. What is read is what the kernel asked the loop device for, with nothing cached.",
		...results.images.map(imageSection),
		...(results.skipped.length > 0 ? [results.skipped.map((line) => `- ${line}`).join("\n")] : []),
		"",
	].join("\n\n");
}

function imageSection(image: ImagePresets): string {
	return [
		`## ${image.name}: ${mb(image.layerBytes)} MB of layers`,
		...(image.points.length > 0 ? [pointsTable(image), peersTable(image)] : []),
		...(image.reads.length > 0 ? [readsTable(image.reads)] : []),
		...(image.boots.length > 0 ? [bootsTable(image)] : []),
	].join("\n\n");
}

/** Our points with the names of the presets that stand for them, and whether they are on the front. */
export function pointsTable({ points }: ImagePresets): string {
	const front = frontOf(points);
	const columns = ["", "preset", "squashfs MB", "CPU s", "memory MiB", "compress MB/s", "decode MB/s", "on the front"];
	const rows = points.map((point) => [...pointCells(point), front.has(caseName(point)) ? "yes" : ""]);
	return table(columns, rows);
}

export function pointCells(point: CasePoint): string[] {
	const { squashfsBytes, cpuSeconds, peakResidentBytes, sample } = point;
	return [
		caseName(point),
		presetsOf(point).join(", "),
		mb(squashfsBytes),
		fixed(cpuSeconds, 2),
		fixed(peakResidentBytes / 2 ** 20, 0),
		fixed((sample?.compressBytesPerSecond ?? Number.NaN) / 1e6, 0),
		fixed((sample?.decodeBytesPerSecond ?? Number.NaN) / 1e6, 0),
	];
}

export function presetsOf(one: Case): string[] {
	return PRESET_NAMES.filter((name) => {
		const { comp, level, blockSize } = presets[name];
		return comp === one.codec && level === one.level && blockSize === one.blockBytes;
	});
}

export function frontOf(points: readonly CasePoint[]): Set<string> {
	const front = paretoFront(points.map((point) => ({ ...point, bytes: point.squashfsBytes })));
	return new Set(front.map(caseName));
}

function peersTable({ peers }: ImagePresets): string {
	const rows = peers.map(({ name, imageBytes, cpuSeconds }) => [name, mb(imageBytes), fixed(cpuSeconds, 2)]);
	return table(["peer", "image MB", "CPU s"], rows);
}

export function readsTable(reads: readonly ReadRow[]): string {
	const blockSizes = [...new Set(reads.map(({ blockBytes }) => blockBytes))];
	const workloads = [...new Set(reads.map(({ workload }) => workload))];
	const rows = workloads.map((workload) => [
		workload,
		...blockSizes.map((blockBytes) => {
			const row = reads.find((one) => one.workload === workload && one.blockBytes === blockBytes);
			return row === undefined ? NONE : `${fixed(row.deviceBytes / 2 ** 20, 1)} MiB, ${fixed(row.wallSeconds, 2)} s`;
		}),
	]);
	const [first] = reads;
	const title = first === undefined ? "" : `${first.codec} ${first.level}, read from the device with blocks of`;
	return table([title, ...blockSizes.map(blockName)], rows);
}

function bootsTable({ boots }: ImagePresets): string {
	const rows = boots.map((boot) => {
		const medium = boot.bytesPerSecond === undefined ? "as fast as the host" : `${mb(boot.bytesPerSecond)} MB/s`;
		const range = `${fixed(Math.min(...boot.wallSeconds), 1)}–${fixed(Math.max(...boot.wallSeconds), 1)}`;
		return [
			caseName(boot),
			medium,
			`${fixed(median(boot.wallSeconds), 1)} (${range}; ${boot.wallSeconds.length} trials)`,
			mb(boot.readBytes),
		];
	});
	return table(["boot from USB under emulation", "medium", "s to the marker", "read MB"], rows);
}
