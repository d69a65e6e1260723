import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

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

/** Of children that have ended: fields 16 and 17 of proc_pid_stat(5), in hundredths. */
function childSeconds(): number {
	const fields = readFileSync("/proc/self/stat", "latin1")
		.replace(/^.*\) /s, "")
		.split(" ");
	return (Number(fields[13]) + Number(fields[14])) / 100;
}
