import { execFileSync } from "node:child_process";
import { childTicks, textOf } from "./proc.ts";

export interface ChildTime {
	readonly wallSeconds: number;
	/** User and system time of the process and of its children that it waited for. */
	readonly cpuSeconds: number;
}

/** Runs a command to its end; throws where it fails. */
export function timedChild(command: string, args: readonly string[]): ChildTime {
	const before = childSeconds();
	const started = performance.now();
	execFileSync(command, args, { stdio: ["ignore", "ignore", "inherit"] });
	const wallSeconds = (performance.now() - started) / 1000;
	return { wallSeconds, cpuSeconds: childSeconds() - before };
}

/** Of children that have ended; ticks are hundredths. */
function childSeconds(): number {
	return childTicks(textOf("/proc/self/stat")) / 100;
}
