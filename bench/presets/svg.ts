import { MiB } from "../../src/binary/units.ts";
import { blockName, caseName } from "./cases.ts";
import { presetsOf } from "./markdown.ts";
import type { CasePoint, ImagePresets } from "./results.ts";

const WIDTH = 860;
const HEIGHT = 520;
const PLOT = { left: 64, right: 840, top: 56, bottom: 460 };
const LABEL_HEIGHT = 13;
const CHARACTER_WIDTH = 6.1;
/** Of those tried for a label, the first so many touch its mark. */
const NEAR_PLACES = 8;

interface Box {
	readonly x: number;
	readonly y: number;
	readonly width: number;
	readonly height: number;
}

interface Mark {
	readonly x: number;
	readonly y: number;
	readonly shape: string;
	readonly label: string;
	readonly isOurs: boolean;
}

const STYLE = `
text{font:11px system-ui,sans-serif;fill:#24292f}.axis{stroke:#8c959f;fill:none}.grid{stroke:#d8dee4;fill:none}
.card{fill:#ffffff}.line{fill:none;stroke-width:1.5}.b17{stroke:#9ec5fe;fill:#9ec5fe}.b18{stroke:#5a9bf6;fill:#5a9bf6}
.b19{stroke:#1f6feb;fill:#1f6feb}.b20{stroke:#0b3d91;fill:#0b3d91}.line{fill:none}.preset{fill:none;stroke:#cf222e;stroke-width:2}
.peer{fill:#8250df}.pipeline{fill:#bc4c00}.strong{font-weight:600}.title{font-size:14px;font-weight:600}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.card{fill:#0d1117}.grid{stroke:#30363d}.axis{stroke:#6e7681}
.b20{stroke:#a5d0ff;fill:#a5d0ff}.b19{stroke:#58a6ff;fill:#58a6ff}.b18{stroke:#3875c4;fill:#3875c4}.b17{stroke:#2b5287;fill:#2b5287}
.line{fill:none}.preset{stroke:#ff7b72}.peer{fill:#d2a8ff}.pipeline{fill:#ffa657}}`;

/** Size of the squashfs against processor time of the whole build: ours by block size, presets ringed, and the peers. */
export function paretoSvg({ name, points, peers }: ImagePresets): string {
	// An erofs is not a squashfs, and lz4's would take half of the picture.
	const shown = peers.filter((peer) => !peer.name.startsWith("mkfs.erofs"));
	const cpu = [...points, ...shown].map(({ cpuSeconds }) => cpuSeconds);
	const megabytes = [...points.map((p) => p.squashfsBytes), ...shown.map((p) => p.imageBytes)].map((b) => b / 1e6);
	const x = logScale(Math.min(...cpu) / 1.15, Math.max(...cpu) * 1.5);
	const bottomMb = Math.floor(Math.min(...megabytes) * 0.97);
	const topMb = Math.ceil(Math.max(...megabytes) * 1.02);
	const y = (mb: number): number => PLOT.bottom - ((mb - bottomMb) / (topMb - bottomMb)) * (PLOT.bottom - PLOT.top);

	const ours = points.map((point) => ourMark(point, x(point.cpuSeconds), y(point.squashfsBytes / 1e6)));
	const theirs = shown.map(({ name: peer, cpuSeconds, imageBytes }) =>
		peerMark(peer, x(cpuSeconds), y(imageBytes / 1e6)),
	);
	return [
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Size of the squashfs against processor time">`,
		`<style>${STYLE}</style>`,
		`<rect class="card" width="${WIDTH}" height="${HEIGHT}" rx="8"/>`,
		text(PLOT.left, 22, `Size of the squashfs against processor time, ${name}`, "start", "title"),
		text(PLOT.left, 40, "down and to the left is better", "start"),
		...ticks(Math.min(...cpu) / 1.15, Math.max(...cpu) * 1.5).flatMap((seconds) => [
			line(x(seconds), PLOT.top, x(seconds), PLOT.bottom, "grid"),
			text(x(seconds), PLOT.bottom + 16, String(seconds), "middle"),
		]),
		...steps(bottomMb, topMb).flatMap((mb) => [
			line(PLOT.left, y(mb), PLOT.right, y(mb), "grid"),
			text(PLOT.left - 6, y(mb) + 4, String(mb), "end"),
		]),
		line(PLOT.left, PLOT.bottom, PLOT.right, PLOT.bottom, "axis"),
		line(PLOT.left, PLOT.top, PLOT.left, PLOT.bottom, "axis"),
		text((PLOT.left + PLOT.right) / 2, HEIGHT - 24, "processor seconds of the whole build (logarithmic)", "middle"),
		text(PLOT.left - 6, PLOT.top - 8, "MB", "end"),
		...curves(points, x, y),
		...legend(),
		...ours.map(({ shape }) => shape),
		...theirs.map(({ shape }) => shape),
		...labels([...ours, ...theirs], curvePoints(points, x, y)),
		"</svg>\n",
	].join("\n");
}

function ourMark(point: CasePoint, x: number, y: number): Mark {
	const names = presetsOf(point);
	const ring = names.length === 0 ? "" : `<circle class="preset" cx="${r(x)}" cy="${r(y)}" r="7"/>`;
	const plain = point.codec !== "zstd" ? caseName(point) : point.blockBytes === MiB ? String(point.level) : "";
	const label = names.length > 0 ? `${names.join(", ")}: ${caseName(point)}` : plain;
	const shape = `<circle class="${blockClass(point.blockBytes)}" cx="${r(x)}" cy="${r(y)}" r="3"><title>${caseName(point)}</title></circle>${ring}`;
	return { x, y, shape, label, isOurs: names.length > 0 };
}

function peerMark(name: string, x: number, y: number): Mark {
	const shape = name.startsWith("pipeline")
		? `<rect class="pipeline" x="${r(x - 4)}" y="${r(y - 4)}" width="8" height="8"/>`
		: `<path class="peer" d="M${r(x)} ${r(y - 5)}l5 9h-10z"/>`;
	return { x, y, shape, label: name.replace(/, of the .*/, ""), isOurs: false };
}

/** zstd's levels in order, one line for each block size. */
function curves(points: readonly CasePoint[], x: (seconds: number) => number, y: (mb: number) => number): string[] {
	const zstd = points.filter(({ codec }) => codec === "zstd");
	return [...new Set(zstd.map(({ blockBytes }) => blockBytes))].map((blockBytes) => {
		const path = zstd
			.filter((point) => point.blockBytes === blockBytes)
			.map((point) => `${r(x(point.cpuSeconds))},${r(y(point.squashfsBytes / 1e6))}`);
		return `<polyline class="line ${blockClass(blockBytes)}" style="fill:none" points="${path.join(" ")}"/>`;
	});
}

/** Places on the lines, close enough to keep labels off them. */
function curvePoints(
	points: readonly CasePoint[],
	x: (seconds: number) => number,
	y: (mb: number) => number,
): { readonly x: number; readonly y: number }[] {
	const STEPS = 24;
	return points.flatMap((from, i) => {
		const to = points.slice(i + 1).find((one) => one.codec === "zstd" && one.blockBytes === from.blockBytes);
		if (from.codec !== "zstd" || to === undefined) return [];
		const [x1, y1] = [x(from.cpuSeconds), y(from.squashfsBytes / 1e6)];
		const [x2, y2] = [x(to.cpuSeconds), y(to.squashfsBytes / 1e6)];
		return Array.from({ length: STEPS }, (_, k) => ({
			x: x1 + ((x2 - x1) * k) / STEPS,
			y: y1 + ((y2 - y1) * k) / STEPS,
		}));
	});
}

function legend(): string[] {
	const left = PLOT.right - 210;
	const rows = [17, 18, 19, 20].map((log, i) => {
		const at = PLOT.top + 8 + i * 15;
		const mark = `<circle class="b${log}" cx="${left}" cy="${at - 4}" r="3"/>`;
		return (
			mark +
			text(left + 10, at, `oci2iso, blocks of ${blockName(2 ** log)}${log === 20 ? "; lines: zstd" : ""}`, "start")
		);
	});
	const at = PLOT.top + 8 + 4 * 15;
	return [
		...rows,
		`<circle class="preset" cx="${left}" cy="${at - 4}" r="5"/>${text(left + 10, at, "a preset", "start")}`,
		`<rect class="pipeline" x="${left - 4}" y="${at + 7}" width="8" height="8"/>${text(left + 10, at + 15, "the whole pipeline of other tools", "start")}`,
		`<path class="peer" d="M${left} ${at + 21}l5 9h-10z"/>${text(left + 10, at + 30, "one tool, on files unpacked before", "start")}`,
	];
}

/** Each label where it covers none placed before it and no mark, as near to its mark as can be; none where there is no room. */
function labels(marks: readonly Mark[], lines: readonly { readonly x: number; readonly y: number }[]): string[] {
	const taken: Box[] = [
		{ x: PLOT.right - 220, y: PLOT.top - 8, width: 230, height: 112 },
		...marks.map(({ x, y }) => ({ x: x - 3, y: y - 3, width: 6, height: 6 })),
		...lines.map(({ x, y }) => ({ x: x - 1, y: y - 1, width: 2, height: 2 })),
	];
	const written: string[] = [];
	for (const { x, y, label, isOurs } of [...marks].sort((a, b) => Number(b.isOurs) - Number(a.isOurs))) {
		if (label === "") continue;
		const width = label.length * CHARACTER_WIDTH;
		const places = [0, -12, 12, -24, 24, -36, 36].flatMap((dy) => [
			{ x: x + 10, y: y + dy - 7 },
			{ x: x - 10 - width, y: y + dy - 7 },
			...(dy === 0 ? [] : [{ x: x - width / 2, y: y + dy - 7 }]),
		]);
		// A level alone is only understood beside its mark.
		const near = /^\d+$/.test(label) ? places.slice(0, NEAR_PLACES) : places;
		const place = near.find((at) => isFree({ ...at, width, height: LABEL_HEIGHT }, taken));
		if (place === undefined) continue;
		taken.push({ ...place, width, height: LABEL_HEIGHT });
		written.push(text(place.x, place.y + 11, label, "start", isOurs ? "strong" : undefined));
	}
	return written;
}

function isFree(box: Box, taken: readonly Box[]): boolean {
	const inside = box.x > PLOT.left && box.x + box.width < WIDTH && box.y > PLOT.top && box.y + box.height < PLOT.bottom;
	return inside && !taken.some((other) => overlap(box, other));
}

function overlap(a: Box, b: Box): boolean {
	return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

function blockClass(blockBytes: number): string {
	return `b${Math.log2(blockBytes)}`;
}

function logScale(from: number, to: number): (seconds: number) => number {
	const span = Math.log(to / from);
	return (seconds) => PLOT.left + (Math.log(seconds / from) / span) * (PLOT.right - PLOT.left);
}

function ticks(from: number, to: number): number[] {
	return [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000].filter((seconds) => seconds >= from && seconds <= to);
}

function steps(from: number, to: number): number[] {
	const step = [1, 2, 5, 10, 20, 50, 100, 200].find((size) => (to - from) / size <= 10) ?? 500;
	const first = Math.ceil(from / step);
	return Array.from({ length: Math.floor(to / step) - first + 1 }, (_, i) => (first + i) * step);
}

function text(x: number, y: number, content: string, anchor: string, className?: string): string {
	const style = className === undefined ? "" : ` class="${className}"`;
	const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
	return `<text x="${r(x)}" y="${r(y)}" text-anchor="${anchor}"${style}>${escaped}</text>`;
}

function line(x1: number, y1: number, x2: number, y2: number, className: string): string {
	return `<line class="${className}" x1="${r(x1)}" y1="${r(y1)}" x2="${r(x2)}" y2="${r(y2)}"/>`;
}

function r(value: number): string {
	return value.toFixed(1);
}
