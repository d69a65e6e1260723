/** Reads what the Linux kernel accounts for processes; every parser takes the text of the file (proc(5)). */
import { readFileSync } from "node:fs";

/** Clock ticks of children that have ended and been waited for, theirs included: fields 16 and 17 of /proc/PID/stat. */
export function childTicks(stat: string): number {
	return ticksFrom(stat, 16);
}

/** Clock ticks of one thread: fields 14 and 15 of /proc/PID/task/TID/stat. */
export function threadTicks(stat: string): number {
	return ticksFrom(stat, 14);
}

/** User and system time, which are neighbours; `field` is the first one's number in proc(5). */
function ticksFrom(stat: string, field: number): number {
	// The second field is the command's name in parentheses and may hold anything.
	const [user, system] = stat
		.slice(stat.lastIndexOf(")") + 2)
		.split(" ")
		.slice(field - 3);
	return Number(user) + Number(system);
}

export interface IoCounters {
	/** Bytes that system calls took from files and pipes, cached or not. */
	readonly readBytes: number;
	/** Bytes that system calls gave to files and pipes. */
	readonly writtenBytes: number;
	/** Bytes of pages made dirty for a block device; 0 on tmpfs. */
	readonly diskWrittenBytes: number;
}

/** /proc/PID/io: this process and every descendant that has been waited for. */
export function ioCounters(io: string): IoCounters {
	const field = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(io)?.[1] ?? Number.NaN);
	return { readBytes: field("rchar"), writtenBytes: field("wchar"), diskWrittenBytes: field("write_bytes") };
}

export interface ResidentMemory {
	readonly nowBytes: number;
	readonly peakBytes: number;
}

/** /proc/PID/status; zeros for a process that has just ended. */
export function residentMemory(status: string): ResidentMemory {
	const field = (name: string) => 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0);
	return { nowBytes: field("VmRSS"), peakBytes: field("VmHWM") };
}

/** All live descendants of a process that were started by the first thread of theirs: programs that start others from threads are not among the contenders. */
export function descendants(pid: number): number[] {
	const found: number[] = [];
	const pending = [pid];
	for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
		const children = textOf(`/proc/${next}/task/${next}/children`).split(" ").filter(Boolean).map(Number);
		found.push(...children);
		pending.push(...children);
	}
	return found;
}

/** A process may end between two looks at it: then there is nothing to read. */
export function textOf(path: string): string {
	try {
		return readFileSync(path, "utf8");
	} catch {
		return "";
	}
}
