import { setImmediate } from "node:timers/promises";
import { Oci2isoError } from "../../../src/errors.ts";
import type { Coverage } from "./coverage.ts";
import { mutate } from "./mutate.ts";
import { Random } from "./random.ts";
import type { FuzzTarget } from "./target.ts";

export interface FuzzOptions {
	readonly coverage: Coverage;
	readonly seconds: number;
	readonly seed: number;
	/** More inputs to start with. */
	readonly corpus: readonly Buffer[];
	/** Told each input before it runs, so that one which never ends can be named. */
	readonly onInput: (input: Uint8Array) => void;
}

/** What one run over one target found. */
export interface FuzzResult {
	readonly inputs: number;
	/** Blocks of code that were reached. */
	readonly blocks: number;
	/** Inputs that reached something new beyond the seeds. */
	readonly corpus: readonly Buffer[];
	readonly findings: readonly Finding[];
}

export interface Finding {
	readonly input: Buffer;
	readonly what: string;
}

/** Asking V8 what ran costs as much as many inputs do: it is asked after this many, or after this time. */
const BATCH_INPUTS = 256;
const BATCH_MILLISECONDS = 25;
const DEFAULT_MAX_BYTES = 4096;
const MAX_FINDINGS = 5;
/** Processor time that no small input may take. */
const MAX_INPUT_SECONDS = 3;
/** What the process may hold beyond what it held at the start. */
const MAX_GROWTH_BYTES = 600 * 2 ** 20;

/** Coverage-guided: inputs that reach blocks which none before reached are kept, and mutated further. */
export async function fuzz(target: FuzzTarget, options: FuzzOptions): Promise<FuzzResult> {
	const random = new Random(options.seed);
	const maxBytes = target.maxBytes ?? DEFAULT_MAX_BYTES;
	const dictionary = (target.dictionary?.split("~") ?? []).map((word) => Buffer.from(word, "latin1"));
	const seeds = (await target.seeds()).map((bytes) => Buffer.from(bytes));
	const { coverage } = options;
	const corpus: Buffer[] = [];
	const findings: Finding[] = [];
	const state = { inputs: 0, startBytes: process.memoryUsage.rss() };

	const runOne = async (input: Buffer): Promise<void> => {
		options.onInput(input);
		state.inputs++;
		const before = process.cpuUsage();
		const fault = await faultOf(target, input);
		const { user, system } = process.cpuUsage(before);
		if (fault !== undefined) findings.push({ input, what: fault });
		else if (user + system > MAX_INPUT_SECONDS * 1e6)
			findings.push({ input, what: `took ${((user + system) / 1e6).toFixed(1)} s of processor time` });
	};
	const checkMemory = (batch: readonly Buffer[]): void => {
		const grown = process.memoryUsage.rss() - state.startBytes;
		const largest = batch[0];
		if (grown > MAX_GROWTH_BYTES && largest !== undefined)
			findings.push({ input: largest, what: `memory grew by ${grown >> 20} MiB in the batch that starts with this` });
	};
	const keep = async (batch: readonly Buffer[]): Promise<void> => {
		for (const input of batch) {
			await runOne(input);
			if (coverage.newBlocks() > 0) corpus.push(input);
		}
	};

	// What the target makes once is not part of its time.
	for (const input of seeds.slice(0, 1)) await faultOf(target, input);
	coverage.reset();
	const end = performance.now() + options.seconds * 1000;
	for (const input of [...seeds, ...options.corpus]) await keep([input]);
	if (corpus.length === 0) corpus.push(...seeds);
	while (performance.now() < end && findings.length < MAX_FINDINGS) {
		const batch: Buffer[] = [];
		const batchEnd = Math.min(end, performance.now() + BATCH_MILLISECONDS);
		do {
			const base = (random.below(4) === 0 ? random.pick(seeds) : random.pick(corpus)) ?? Buffer.alloc(0);
			const other = random.pick(corpus) ?? Buffer.alloc(0);
			const input = mutate(base, random, { maxBytes, dictionary, other });
			batch.push(input);
			await runOne(input);
		} while (batch.length < BATCH_INPUTS && performance.now() < batchEnd);
		// Output flows, and what the addon holds for objects that are gone is released, only when events have their turn.
		await setImmediate();
		checkMemory(batch);
		if (coverage.newBlocks(true) > 0) await keep(batch);
	}
	return {
		inputs: state.inputs,
		blocks: coverage.blocks,
		corpus: corpus.filter((input) => seeds.every((seed) => seed !== input)),
		findings,
	};
}

async function faultOf(target: FuzzTarget, input: Buffer): Promise<string | undefined> {
	try {
		// A copy: what a parser does to its input must not reach the corpus.
		await target.run(Buffer.from(input));
		return undefined;
	} catch (error) {
		if (error instanceof Oci2isoError && error.kind !== "internal" && error.code !== "") return undefined;
		return error instanceof Error ? (error.stack ?? error.message).slice(0, 1500) : String(error);
	}
}
