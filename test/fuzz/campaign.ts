import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What one process over some targets came to. */
export interface Campaign {
	readonly finished: readonly FinishedTarget[];
	/** Why the process did not come to its end, with the input that it had, in base64. */
	readonly stopped: string | undefined;
}

export interface FinishedTarget {
	readonly target: string;
	readonly inputs: number;
	readonly blocks: number;
	/** In base64. */
	readonly corpus: readonly string[];
	/** With inputs in base64. */
	readonly findings: readonly string[];
}

/** For `--changed` alone: what is fuzzed is loaded by other processes. */
export const fuzzed = () => import("./targets.ts");

const HEAP_MIB = 1024;
/** The targets together may take this much longer than they were given: for seeds, and the last inputs. */
const GRACE_SECONDS = 300;

/** Fuzzes part `part` of `parts` of the targets in a process of its own, so that an input that never ends, or that eats all memory, is found as well. */
export function fuzzTargets(
	part: number,
	parts: number,
	seconds: number,
	seed: number,
	inputFile: string,
): Promise<Campaign> {
	const script = join(import.meta.dirname, "run-targets.ts");
	const node = [`--max-old-space-size=${HEAP_MIB}`, "--import", import.meta.resolve("tsx"), script];
	const child = spawn(process.execPath, [...node, ...[part, parts, seconds, seed, inputFile].map(String)], {
		stdio: ["ignore", "pipe", "pipe"],
		timeout: Math.ceil(seconds + GRACE_SECONDS) * 1000,
		killSignal: "SIGKILL",
	});
	let output = "";
	let errors = "";
	child.stdout.on("data", (chunk: Buffer) => {
		output += chunk.toString();
	});
	child.stderr.on("data", (chunk: Buffer) => {
		errors = (errors + chunk.toString()).slice(-3000);
	});
	return new Promise((resolve, reject) => {
		child.once("error", reject);
		child.once("close", (status, signal) => {
			// The last line may be a part of one.
			const finished = output
				.split("\n")
				.slice(0, -1)
				.map((line) => JSON.parse(line) as FinishedTarget);
			const how = `what follows ${finished.at(-1)?.target} ended with ${status ?? signal} with ${lastInput(inputFile)}\n${errors}`;
			resolve({ finished, stopped: status === 0 ? undefined : how });
		});
	});
}

function lastInput(path: string): string {
	try {
		const bytes = readFileSync(path);
		return bytes.subarray(4, 4 + bytes.readUInt32LE(0)).toString("base64");
	} catch {
		return "no input";
	}
}
