import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What one process over some targets came to. */
export interface Campaign {
	readonly finished: readonly FinishedTarget[];
	/** Why the process did not come to its end, with the input that it had, in base64. */
	readonly stopped: string | undefined;
}

export interface FinishedTarget {
	readonly finished: string;
	readonly inputs: number;
	readonly blocks: number;
	/** In base64. */
	readonly corpus: readonly string[];
	readonly findings: readonly { readonly input: string; readonly what: string }[];
}

const HEAP_MIB = 1024;
/** One target may take this much longer than it was given: making its seeds, and the last input. */
const GRACE_SECONDS = 45;

/** Fuzzes targets in a process of their own, so that an input that never ends, or that eats all memory, is found as well. */
export function fuzzTargets(names: readonly string[], secondsEach: number, seed: number): Promise<Campaign> {
	const inputFile = join(tmpdir(), `oci2iso-fuzz-${process.pid}-${names[0]}`);
	const script = join(import.meta.dirname, "run-targets.ts");
	const node = [`--max-old-space-size=${HEAP_MIB}`, "--import", import.meta.resolve("tsx"), script];
	const child = spawn(process.execPath, [...node, String(secondsEach), String(seed), inputFile, ...names], {
		stdio: ["ignore", "pipe", "pipe"],
	});
	const finished: FinishedTarget[] = [];
	let running = "";
	let hung = false;
	let watchdog: NodeJS.Timeout | undefined;
	const watch = (): void => {
		clearTimeout(watchdog);
		watchdog = setTimeout(
			() => {
				hung = true;
				child.kill("SIGKILL");
			},
			(secondsEach + GRACE_SECONDS) * 1000,
		);
	};
	watch();
	let line = "";
	child.stdout.on("data", (chunk: Buffer) => {
		const lines = (line + chunk.toString()).split("\n");
		line = lines.pop() ?? "";
		for (const text of lines) {
			const report = JSON.parse(text) as { started?: string; finished?: string };
			if (report.started !== undefined) running = report.started;
			else finished.push(report as FinishedTarget);
			watch();
		}
	});
	let errors = "";
	child.stderr.on("data", (chunk: Buffer) => {
		errors = (errors + chunk.toString()).slice(-3000);
	});
	return new Promise((resolve, reject) => {
		child.once("error", reject);
		child.once("close", (status, signal) => {
			clearTimeout(watchdog);
			const how = hung ? "did not end" : `ended with ${status ?? signal}`;
			const stopped = status === 0 ? undefined : `${running} ${how} with ${lastInput(inputFile)}\n${errors}`;
			rmSync(inputFile, { force: true });
			resolve({ finished, stopped });
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
