import { describe, expect, it } from "vitest";
import { parseArguments } from "../../../bench/arguments.ts";
import { makePlan, threadCounts } from "../../../bench/contenders.ts";
import { toMarkdown } from "../../../bench/markdown.ts";
import { figures } from "../../../bench/readme.ts";
import { parseResults, type Results } from "../../../bench/results.ts";
import { settings } from "../../../bench/settings.ts";
import { median, pairedRatio } from "../../../bench/statistics.ts";
import type { TrialResult } from "../../../bench/trial.ts";

describe("median", () => {
	it("takes the middle, or the mean of the two in the middle", () => {
		expect(median([5, 1, 3])).toBe(3);
		expect(median([4, 1, 3, 2])).toBe(2.5);
		expect(median([])).toBeNaN();
	});
});

describe("pairedRatio", () => {
	it("divides round by round and leaves out rounds that one side lacks", () => {
		expect(pairedRatio([1, undefined, 9, 4], [2, 3, undefined, 4])).toEqual({ median: 0.75, min: 0.5, max: 1 });
	});
});

describe("makePlan", () => {
	const plan = makePlan(settings("libdeflate 1.14"), { rootless: false, scaling: true });

	it("compares the default with the reference's settings, and that pipeline is run once for both", () => {
		const [byDefault, reference] = plan.comparisons;
		expect(byDefault?.peers[0]).toBe(reference?.peers[0]);
	});

	it("gives each setting to both sides", () => {
		const inputs = { name: "", layoutDir: "/l", rootfs: () => "/r", mergedTar: () => "/t", prepare: async () => {} };
		const places = { output: "/o", scratch: "/s" };
		const gzip = plan.comparisons.find(({ title }) => title.startsWith("gzip"));
		expect(gzip?.ours.spec(inputs, places)).toMatchObject({
			command: expect.arrayContaining(["--comp", "gzip", "--level", "6", "--block-size", "131072"]),
		});
		expect(gzip?.peers.map((peer) => peer.spec(inputs, places))).toMatchObject([
			{ kind: "pipeline", options: { compression: "gzip" } },
			{ kind: "mksquashfs", options: { compression: "gzip" } },
			{ command: ["tar2sqfs", "--quiet", "--compressor", "gzip", "/o"], stdin: "/t" },
		]);
	});

	it("doubles the threads up to all processors", () => {
		expect(threadCounts(1)).toEqual([1]);
		expect(threadCounts(6)).toEqual([1, 2, 4, 6]);
	});
});

describe("parseArguments", () => {
	it("takes five trials by default", () => expect(parseArguments([]).trials).toBe(5));
	it.each([
		["--trials", "0"],
		["--only", "nothing"],
		["--large", "--image", "x"],
	])("refuses %s %s", (...args) => expect(() => parseArguments(args.filter(Boolean))).toThrow());
});

describe("toMarkdown", () => {
	const trial = (wallSeconds: number): TrialResult => ({
		wallSeconds,
		cpuSeconds: 2 * wallSeconds,
		peakResidentBytes: 2 ** 27,
		peakScratchBytes: 0,
		readBytes: 1e6,
		writtenBytes: 2e6,
		diskWrittenBytes: 2e6,
		outputBytes: 3e6,
		phases: { layers: wallSeconds },
	});
	const results: Results = {
		command: "npm run bench",
		machine: {
			processor: "CPU",
			processors: 2,
			memoryBytes: 2 ** 33,
			kernel: "6.1",
			node: "v20",
			load: 0.1,
			versions: {},
		},
		trials: 3,
		images: [
			{
				name: "image",
				layerBytes: 5e6,
				rounds: { ours: [trial(1), trial(2), undefined], peer: [trial(4), trial(4), trial(4)] },
				comparisons: [{ title: "work", ours: "ours", peers: ["peer", "absent"] }],
				scaling: [],
				limits: {
					ours: { cpuSeconds: 2, wallSeconds: 1, blocks: 7, inputBytes: 9e6, outputBytes: 2.5e6, threads: 2 },
				},
			},
		],
		micro: [],
		skipped: ["SKIPPED: absent: needs x"],
	};
	const text = toMarkdown(results);

	it("has a row for each contender that ran, with the ratio within the rounds, and with their number where some are missing", () => {
		expect(text).toContain("| **ours (2 trials)** | 1.50 | 3.00 | 128 | 0.0 | 2.0 | 1.0 | – | 3.0 | – | – |");
		expect(text).toContain("| peer | 4.00 | 8.00 | 128 | 0.0 | 2.0 | 1.0 | – | 3.0 | 0.375 (0.250–0.500) |");
		expect(text).not.toContain("| absent");
	});

	it("is the same from the results as they are kept", () => {
		const kept = parseResults(JSON.stringify(results));
		expect(toMarkdown(kept)).toBe(text);
		expect(figures(kept)).toBe(figures(results));
	});
});
