import { describe, expect, it } from "vitest";
import { CASES, caseArguments } from "../../../bench/presets/cases.ts";
import { paretoFront } from "../../../bench/presets/front.ts";
import { presetsMarkdown, presetsOf } from "../../../bench/presets/markdown.ts";
import type { CasePoint, ImagePresets } from "../../../bench/presets/results.ts";
import { paretoSvg } from "../../../bench/presets/svg.ts";
import { figures, replaceBetween } from "../../../bench/readme.ts";
import { PRESET_NAMES, presets } from "../../../src/options/presets.ts";

const MACHINE = {
	processor: "CPU",
	processors: 2,
	memoryBytes: 2 ** 33,
	kernel: "6.1",
	node: "v20",
	load: 0.1,
	versions: {},
};

const point = (level: number, blockBytes: number, cpuSeconds: number, megabytes: number): CasePoint => ({
	...{ codec: "zstd", level, blockBytes, cpuSeconds },
	squashfsBytes: megabytes * 1e6,
	peakResidentBytes: 2 ** 27,
	sample: { compressBytesPerSecond: 100e6, decodeBytesPerSecond: 1500e6 },
});

const IMAGE: ImagePresets = {
	name: "image <1>",
	layerBytes: 99e6,
	points: [point(3, 2 ** 17, 2, 80), point(6, 2 ** 17, 3, 77), point(6, 2 ** 20, 2.9, 72)],
	peers: [{ name: "pipeline zstd 15", imageBytes: 73e6, cpuSeconds: 14 }],
	reads: [
		{ codec: "zstd", level: 6, blockBytes: 2 ** 17, workload: "reads", deviceBytes: 2 ** 20, wallSeconds: 0.5 },
		{ codec: "zstd", level: 6, blockBytes: 2 ** 20, workload: "reads", deviceBytes: 2 ** 22, wallSeconds: 0.7 },
	],
	boots: [
		{ codec: "zstd", level: 6, blockBytes: 2 ** 20, bytesPerSecond: 20e6, wallSeconds: [70, 60, 65], readBytes: 9e7 },
	],
};

describe("paretoFront", () => {
	const offer = (cpuSeconds: number, bytes: number) => ({ cpuSeconds, bytes });

	it("keeps what nothing else beats in both respects", () => {
		const [cheap, dear, beaten] = [offer(1, 9), offer(4, 3), offer(4, 8)];
		expect(paretoFront([dear, beaten, offer(2, 9), cheap])).toEqual([cheap, dear]);
	});
});

describe("the cases that are weighed", () => {
	it("have every preset among them, once", () => {
		for (const name of PRESET_NAMES) {
			const found = CASES.filter((one) => presetsOf(one).includes(name));
			expect(found.map((one) => caseArguments(one))).toEqual([
				[
					"--comp",
					presets[name].comp,
					"--level",
					`${presets[name].level}`,
					"--block-size",
					`${presets[name].blockSize}`,
				],
			]);
		}
	});
});

describe("presetsMarkdown", () => {
	const text = presetsMarkdown({ command: "npm run bench", machine: MACHINE, images: [IMAGE], skipped: [] });

	it("says what each point takes, which preset it is and whether it is on the front", () => {
		expect(text).toContain("| zstd 6, 1 MiB | balanced | 72.0 | 2.90 | 128 | 100 | 1500 | yes |");
		expect(text).toContain("| zstd 6, 128 KiB |  | 77.0 | 3.00 | 128 | 100 | 1500 |  |");
	});
});

describe("paretoSvg", () => {
	const svg = paretoSvg(IMAGE);

	it("has a mark for each point and peer, a ring for each preset and their labels", () => {
		expect(svg.match(/<title>/g)).toHaveLength(IMAGE.points.length);
		expect(svg).toContain(">balanced: zstd 6, 1 MiB</text>");
		expect(svg).toContain(">pipeline zstd 15</text>");
		expect(svg).not.toMatch(/NaN|Infinity/);
	});
});

describe("the figures of docs/figures.md", () => {
	it("take the place of what is between the markers, and of nothing else", () => {
		const text = "a\n<!-- presets: npm run bench -- --readme -->\nold\n<!-- end of presets -->\nb";
		const replaced = replaceBetween(text, "presets", "new");
		expect(replaced).toBe("a\n<!-- presets: npm run bench -- --readme -->\nnew\n<!-- end of presets -->\nb");
		expect(replaceBetween(replaced, "presets", "new")).toBe(replaced);
		expect(() => replaceBetween(text, "figures", "new")).toThrow("figures");
	});

	it("set each of our builds against its pipeline, and name a pipeline once", () => {
		const trial = (wallSeconds: number) => ({
			...{ wallSeconds, cpuSeconds: wallSeconds, peakResidentBytes: 2 ** 27, peakScratchBytes: 0, readBytes: 0 },
			...{ writtenBytes: 2e6, diskWrittenBytes: 0, outputBytes: 3e6, squashfsBytes: 1e6, phases: {} },
		});
		const comparison = (ours: string) => ({ title: ours, ours, peers: ["pipeline zstd 15", "tar2sqfs"] });
		const text = figures({
			...{ command: "npm run bench", machine: MACHINE, trials: 1, micro: [], skipped: [] },
			images: [
				{
					...{ name: "image", layerBytes: 5e6, scaling: [], limits: {} },
					rounds: { default: [trial(1)], same: [trial(3)], "pipeline zstd 15": [trial(4)], tar2sqfs: [trial(2)] },
					comparisons: [comparison("default"), comparison("same")],
				},
			],
		});
		expect(text).toContain("| **default** | 1.00 | **0.25** | 1.0 | 128 | 0.0 | 2 | 1.0 |");
		expect(text).toContain("| **same** | 3.00 | **0.75** |");
		expect(text.match(/\| pipeline zstd 15 \|/g)).toHaveLength(1);
		expect(text).not.toContain("tar2sqfs");
	});
});
