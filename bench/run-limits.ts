import { execFileSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { oci2iso } from "./contenders.ts";
import type { Inputs } from "./inputs.ts";
import { extractBlocks } from "./limit/blocks.ts";
import { compileLimit, type Limit, runLimit } from "./limit/limit.ts";
import type { LimitResult } from "./results.ts";
import { median } from "./statistics.ts";
import type { TrialResult } from "./trial.ts";

/** A loop that is done sooner runs this often. */
const REPETITIONS = 3;
const LONG_SECONDS = 10;

/** For each of our builds: what compressing its blocks takes by itself. */
export async function findLimits(
	rounds: Readonly<Record<string, readonly (TrialResult | undefined)[]>>,
	inputs: Inputs,
	{ work, warn }: { readonly work: string; readonly warn: (line: string) => void },
): Promise<Record<string, LimitResult>> {
	const compiled = compileLimit(work);
	if ("reason" in compiled) {
		warn(`SKIPPED: the limit of the processors: ${compiled.reason}`);
		return {};
	}
	const threads = availableParallelism();
	const limits: Record<string, LimitResult> = {};
	const found = new Map<string, LimitResult>();
	for (const [name, results] of Object.entries(rounds)) {
		const squashfs = results.find((result) => result?.squashfs !== undefined)?.squashfs;
		if (squashfs === undefined) continue;
		const { codec, level, blockBytes } = squashfs;
		const key = `${codec} ${level} ${blockBytes}`;
		const known = found.get(key);
		if (known !== undefined) {
			limits[name] = known;
			continue;
		}
		process.stderr.write(`bench: limit of ${name}\n`);
		const blocksFile = await blocksOfImage(inputs, work, blockBytes);
		try {
			const limit = medianLimit(() => runLimit(compiled.program, { blocksFile, codec, level, blockBytes, threads }));
			found.set(key, { ...limit, threads });
			limits[name] = { ...limit, threads };
		} catch (error) {
			warn(`SKIPPED: the limit of ${name}: ${error instanceof Error ? error.message : String(error)}`);
		}
	}
	return limits;
}

/** An ISO of the image without compression, kept in `work`. */
export function storedIso(inputs: Inputs, work: string, blockBytes: number): string {
	const iso = join(work, `stored-${blockBytes}.iso`);
	if (existsSync(iso)) return iso;
	const options = ["--comp", "none", "--block-size", String(blockBytes)];
	const spec = oci2iso("blocks", options).spec(inputs, { output: iso, scratch: work });
	if (spec.kind !== "command") throw new Error("oci2iso is a command");
	const [program = "", ...args] = spec.command;
	execFileSync(program, args, { stdio: ["ignore", "ignore", "inherit"] });
	return iso;
}

/** The image's blocks before compression, each behind its length, kept in `work`. */
export async function blocksOfImage(inputs: Inputs, work: string, blockBytes: number): Promise<string> {
	const blocks = join(work, `blocks-${blockBytes}`);
	if (existsSync(blocks)) return blocks;
	const iso = storedIso(inputs, work, blockBytes);
	await extractBlocks(iso, blocks);
	rmSync(iso);
	return blocks;
}

function medianLimit(run: () => Limit): Limit {
	const first = run();
	if (first.wallSeconds > LONG_SECONDS) return first;
	const all = [first, ...Array.from({ length: REPETITIONS - 1 }, run)];
	return {
		...first,
		cpuSeconds: median(all.map(({ cpuSeconds }) => cpuSeconds)),
		wallSeconds: median(all.map(({ wallSeconds }) => wallSeconds)),
	};
}
