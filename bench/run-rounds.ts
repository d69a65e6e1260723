import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Contender } from "./contenders.ts";
import type { Inputs } from "./inputs.ts";
import { flushDisk } from "./machine.ts";
import type { TrialResult } from "./trial.ts";

/** A trial that takes longer is steady enough to be run only three times. */
export const LONG_TRIAL_SECONDS = 20;
export const LONG_TRIALS = 3;

export interface RoundOptions {
	readonly work: string;
	readonly trials: number;
	readonly warn: (line: string) => void;
}

/** Every contender once per round, every other round in the opposite order; by the contender's name, a round that failed or was not run as undefined. */
export async function runRounds(
	contenders: readonly Contender[],
	inputs: Inputs,
	{ work, trials, warn }: RoundOptions,
): Promise<Record<string, (TrialResult | undefined)[]>> {
	const rounds: Record<string, (TrialResult | undefined)[]> = Object.fromEntries(
		contenders.map(({ name }) => [name, Array.from({ length: trials }, () => undefined)]),
	);
	const failed = new Set<string>();
	for (let round = 0; round < trials; round++) {
		for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
			const first = rounds[contender.name]?.[0];
			const isLong = first !== undefined && first.wallSeconds > LONG_TRIAL_SECONDS;
			if (failed.has(contender.name) || (isLong && round >= LONG_TRIALS)) continue;
			const result = runTrial(contender, inputs, work);
			if (typeof result === "string") {
				failed.add(contender.name);
				warn(`FAILED: ${contender.name}: ${result}`);
				continue;
			}
			const results = rounds[contender.name];
			if (results !== undefined) results[round] = result;
			const { wallSeconds } = result;
			process.stderr.write(`bench: round ${round + 1} of ${trials}: ${contender.name}: ${wallSeconds.toFixed(2)} s\n`);
		}
	}
	return rounds;
}

/** Wall seconds of all rounds together, roughly. */
export function expectedSeconds(
	contenders: readonly Contender[],
	trials: number,
	trialSeconds: (expected: number) => number,
): number {
	return contenders.reduce((sum, { expected }) => {
		const seconds = trialSeconds(expected);
		return sum + seconds * (seconds > LONG_TRIAL_SECONDS ? Math.min(trials, LONG_TRIALS) : trials);
	}, 0);
}

/** Runs one trial in a process of its own; gives what it took, or why it failed. */
export function runTrial(contender: Contender, inputs: Inputs, work: string): TrialResult | string {
	const trial = join(work, "trial");
	rmSync(trial, { recursive: true, force: true });
	const scratch = join(trial, "scratch");
	mkdirSync(scratch, { recursive: true });
	mkdirSync(join(trial, "out"));
	const places = { output: join(trial, "out", `output.${contender.makes}`), scratch };
	flushDisk();
	try {
		const script = join(import.meta.dirname, "trial.ts");
		const args = [JSON.stringify(places), JSON.stringify(contender.spec(inputs, places))];
		const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", script, ...args], {
			encoding: "utf8",
			env: { ...process.env, TMPDIR: scratch },
			maxBuffer: 2 ** 26,
		});
		return status === 0 ? (JSON.parse(stdout) as TrialResult) : stderr.trim();
	} finally {
		rmSync(trial, { recursive: true, force: true });
	}
}
