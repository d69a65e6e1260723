import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { residentMemory, textOf, threadTicks } from "./proc.ts";

const LOOK_EVERY_MS = 10;
const TICKS_PER_SECOND = 100;

/** What one process took. */
export interface ProcessCost {
	readonly wallSeconds: number;
	/** User and system time of all its threads. */
	readonly cpuSeconds: number;
	/** Of the thread that took most. */
	readonly busiestSeconds: number;
	/** Of the thread that it began with: what more processors take nothing of. */
	readonly mainSeconds: number;
	/** Most resident memory. */
	readonly peakBytes: number;
}

/** Runs a program that starts no others, and looks at its threads until it ends. Rejects with an `Error` where it fails. */
export async function processCost(command: string, args: readonly string[]): Promise<ProcessCost> {
	const started = performance.now();
	const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
	const directory = `/proc/${child.pid}`;
	const ticks = new Map<string, number>();
	let peakBytes = 0;
	const look = (): void => {
		for (const thread of threadsOf(directory)) {
			const stat = textOf(`${directory}/task/${thread}/stat`);
			if (stat !== "") ticks.set(thread, threadTicks(stat));
		}
		peakBytes = Math.max(peakBytes, residentMemory(textOf(`${directory}/status`)).peakBytes);
	};
	const timer = setInterval(look, LOOK_EVERY_MS);
	let complaint = "";
	child.stderr.on("data", (chunk: Buffer) => {
		complaint += chunk.toString();
	});
	const status = await new Promise((resolve, reject) => child.on("close", resolve).on("error", reject));
	clearInterval(timer);
	const wallSeconds = (performance.now() - started) / 1000;
	if (status !== 0) throw new Error(`${command} ${args.join(" ")}\nended with ${status}:\n${complaint}`);
	const seconds = [...ticks.values()].map((count) => count / TICKS_PER_SECOND);
	return {
		wallSeconds,
		cpuSeconds: seconds.reduce((sum, one) => sum + one, 0),
		busiestSeconds: Math.max(0, ...seconds),
		mainSeconds: (ticks.get(String(child.pid)) ?? 0) / TICKS_PER_SECOND,
		peakBytes,
	};
}

function threadsOf(directory: string): string[] {
	try {
		return readdirSync(`${directory}/task`);
	} catch {
		return [];
	}
}
