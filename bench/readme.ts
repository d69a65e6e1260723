import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describeRun, fixed, mb, NONE, ratioText, table } from "./markdown.ts";
import { caseName } from "./presets/cases.ts";
import { frontOf, pointCells, presetsOf, readsTable } from "./presets/markdown.ts";
import type { ImagePresets, PresetsResults } from "./presets/results.ts";
import { paretoSvg } from "./presets/svg.ts";
import { type ImageResults, parseResults, type Results, ratioOf, summarise } from "./results.ts";

const ROOT = join(import.meta.dirname, "..");
const PICTURE = "docs/pareto.svg";
const FIGURES = "docs/figures.md";
const PLACES = {
	figures: { begin: "<!-- figures: npm run bench -- --readme -->", end: "<!-- end of figures -->" },
	presets: { begin: "<!-- presets: npm run bench -- --readme -->", end: "<!-- end of presets -->" },
} as const;

/**
 * Puts what `results.json` and `presets.json` in `directory` hold into docs/figures.md between its markers, and draws the picture.
 * Returns what was replaced; throws where there is nothing to put.
 */
export function rewriteReadme(directory: string): string[] {
	const path = join(ROOT, FIGURES);
	let text = readFileSync(path, "utf8");
	const done: string[] = [];
	const results = readIfThere(join(directory, "results.json"), parseResults);
	if (results !== undefined) {
		text = replaceBetween(text, "figures", figures(results));
		done.push("the figures");
	}
	const weighed = readIfThere(join(directory, "presets.json"), (json) => JSON.parse(json) as PresetsResults);
	const [image] = weighed?.images ?? [];
	if (weighed !== undefined && image !== undefined) {
		mkdirSync(join(ROOT, "docs"), { recursive: true });
		writeFileSync(join(ROOT, PICTURE), paretoSvg(image));
		text = replaceBetween(text, "presets", presetFigures(weighed));
		done.push("the presets", PICTURE);
	}
	if (done.length === 0)
		throw new Error(`${directory} has neither results.json nor presets.json: run the benchmark first`);
	writeFileSync(path, text);
	return done;
}

/** Throws unless the text has both markers, in order. */
export function replaceBetween(text: string, place: keyof typeof PLACES, content: string): string {
	const { begin, end } = PLACES[place];
	const start = text.indexOf(begin);
	const stop = text.indexOf(end);
	if (start < 0 || stop < start) throw new Error(`${FIGURES} has no ${begin} … ${end}`);
	return `${text.slice(0, start + begin.length)}\n${content}\n${text.slice(stop)}`;
}

export function figures(results: Results): string {
	return [describeRun(results), `Medians of ${results.trials} trials.`, ...results.images.map(imageFigures)].join(
		"\n\n",
	);
}

const COLUMNS = [
	...["", "wall s", "of the pipeline's", "CPU s", "peak memory MiB", "scratch MB", "written MB", "squashfs MB"],
	"of the processors' limit",
];

function imageFigures(image: ImageResults): string {
	const rows = image.comparisons.flatMap(({ ours, peers }) => {
		const pipeline = peers.find((peer) => peer.startsWith("pipeline"));
		return pipeline === undefined ? [] : [figureRow(image, ours, pipeline), figureRow(image, pipeline, undefined)];
	});
	// The default's pipeline is the reference's too: once is enough.
	const unique = [...new Map(rows.map((row) => [row[0], row])).values()];
	return `${image.name}, ${mb(image.layerBytes)} MB of layers:\n\n${table(COLUMNS, unique)}`;
}

function figureRow(image: ImageResults, name: string, against: string | undefined): string[] {
	const summary = summarise(image.rounds[name] ?? []);
	if (summary === undefined) return [name, ...COLUMNS.slice(1).map(() => NONE)];
	const limit = image.limits[name];
	const limitSeconds = limit === undefined ? Number.NaN : limit.cpuSeconds / limit.threads;
	return [
		against === undefined ? name : `**${name}**`,
		fixed(summary.wallSeconds, 2),
		against === undefined ? "" : `**${ratioText(ratioOf(image, name, against, "wallSeconds"), 2)}**`,
		fixed(summary.cpuSeconds, 1),
		fixed(summary.peakResidentBytes / 2 ** 20, 0),
		fixed(summary.peakScratchBytes / 1e6, 1),
		fixed(summary.writtenBytes / 1e6, 0),
		mb(summary.squashfsBytes ?? Number.NaN),
		against === undefined ? "" : fixed(summary.wallSeconds / limitSeconds, 2),
	];
}

function presetFigures(results: PresetsResults): string {
	return [
		`![size of the squashfs against processor time](${basename(PICTURE)})`,
		describeRun(results),
		...results.images.map(imagePresetFigures),
	].join("\n\n");
}

function imagePresetFigures(image: ImagePresets): string {
	const front = frontOf(image.points);
	const rows = image.points
		.filter((point) => presetsOf(point).length > 0 || front.has(caseName(point)))
		.map((point) => pointCells(point));
	const peers = image.peers
		.filter(({ name }) => name.startsWith("pipeline"))
		.map(({ name, imageBytes, cpuSeconds }) => [name, "", mb(imageBytes), fixed(cpuSeconds, 2), NONE, NONE, NONE]);
	const columns = ["", "preset", "squashfs MB", "CPU s", "memory MiB", "compress MB/s", "decode MB/s"];
	const reads = image.reads.length > 0 ? `\n\n${readsTable(image.reads)}` : "";
	const sorted = [...rows, ...peers].sort((a, b) => Number(a[3]) - Number(b[3]));
	return `${image.name}, presets and the rest of the front:\n\n${table(columns, sorted)}${reads}`;
}

function readIfThere<Value>(path: string, parse: (text: string) => Value): Value | undefined {
	return existsSync(path) ? parse(readFileSync(path, "utf8")) : undefined;
}
