import type { Limit } from "./limit/limit.ts";
import type { Machine } from "./machine.ts";
import type { MicroRow } from "./micro/repeat.ts";
import { median, pairedRatio, type Ratio } from "./statistics.ts";
import type { TrialResult } from "./trial.ts";

/** All that a run of the benchmark found; what is printed and written follows from it. */
export interface Results {
	/** Says how to get these numbers again. */
	readonly command: string;
	readonly machine: Machine;
	readonly trials: number;
	readonly images: readonly ImageResults[];
	readonly micro: readonly MicroRow[];
	readonly skipped: readonly string[];
}

export interface ImageResults {
	readonly name: string;
	readonly layerBytes: number;
	/** By contender's name; a round that failed is undefined. */
	readonly rounds: Readonly<Record<string, readonly (TrialResult | undefined)[]>>;
	readonly comparisons: readonly { readonly title: string; readonly ours: string; readonly peers: readonly string[] }[];
	readonly scaling: readonly { readonly threads: number; readonly name: string }[];
	/** By the name of one of our contenders: compressing the same blocks and nothing else, on every processor. */
	readonly limits: Readonly<Record<string, LimitResult>>;
}

export interface LimitResult extends Limit {
	readonly threads: number;
}

/** Reads `results.json`, where JSON has null for a round that was not run. */
export function parseResults(text: string): Results {
	const results = JSON.parse(text) as Results;
	const images = results.images.map((image) => {
		const rounds = Object.entries(image.rounds).map(([name, all]) => [name, all.map((round) => round ?? undefined)]);
		return { ...image, rounds: Object.fromEntries(rounds) as ImageResults["rounds"] };
	});
	return { ...results, images };
}

/** Medians over the rounds. */
export interface Summary {
	readonly trials: number;
	readonly wallSeconds: number;
	readonly cpuSeconds: number;
	readonly peakResidentBytes: number;
	readonly peakScratchBytes: number;
	readonly readBytes: number;
	readonly writtenBytes: number;
	readonly outputBytes: number;
	readonly squashfsBytes: number | undefined;
	readonly phases: Readonly<Record<string, number>>;
}

export function summarise(rounds: readonly (TrialResult | undefined)[]): Summary | undefined {
	const done = rounds.filter((round) => round !== undefined);
	const [first] = done;
	if (first === undefined) return undefined;
	const middle = (pick: (round: TrialResult) => number): number => median(done.map(pick));
	const phases = Object.keys(first.phases).map((name) => [name, middle((round) => round.phases[name] ?? 0)] as const);
	return {
		trials: done.length,
		wallSeconds: middle(({ wallSeconds }) => wallSeconds),
		cpuSeconds: middle(({ cpuSeconds }) => cpuSeconds),
		peakResidentBytes: middle(({ peakResidentBytes }) => peakResidentBytes),
		peakScratchBytes: middle(({ peakScratchBytes }) => peakScratchBytes),
		readBytes: middle(({ readBytes }) => readBytes),
		writtenBytes: middle(({ writtenBytes }) => writtenBytes),
		outputBytes: middle(({ outputBytes }) => outputBytes),
		squashfsBytes: first.squashfsBytes,
		phases: Object.fromEntries(phases),
	};
}

/** How long `a` takes for each second of `b`, or how much processor time. */
export function ratioOf(
	image: ImageResults,
	a: string,
	b: string,
	what: "wallSeconds" | "cpuSeconds",
): Ratio | undefined {
	const values = (name: string) => (image.rounds[name] ?? []).map((round) => round?.[what]);
	return pairedRatio(values(a), values(b));
}
