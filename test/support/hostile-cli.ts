import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { COMPILED_MAIN } from "./compiled.ts";

/** What any hostile input may cost, unless a test says otherwise. */
const BUDGET = { seconds: 240, cpuSeconds: 30, heapMiB: 1024, residentMiB: 1024 };

export interface HostileOptions {
	readonly seconds?: number;
	/** V8's heap, as `--max-old-space-size`. */
	readonly heapMiB?: number;
	/** Peak of the process. */
	readonly residentMiB?: number;
	/** Of the process and what it started. */
	readonly cpuSeconds?: number;
	readonly env?: NodeJS.ProcessEnv;
	/** Run as this user and group. */
	readonly uid?: number | undefined;
	/** A directory whose whole content must be the same afterwards; `-o` should lie in it. */
	readonly untouched?: string;
}

export interface HostileResult {
	readonly status: number | null;
	readonly stdout: string;
	readonly stderr: string;
	/** Of the first line on standard error that is an error. */
	readonly code: string | undefined;
	readonly seconds: number;
	readonly residentMiB: number;
	/** Of the process and its threads, as far as it was looked at: a few hundredths before its end. */
	readonly cpuSeconds: number;
}

/**
 * Runs `oci2iso` and holds it to what every input must leave true: it ends in time and within memory, without a stack trace or an internal error,
 * with a documented exit status, and leaves nothing behind.
 */
export async function hostileRun(args: readonly string[], options: HostileOptions = {}): Promise<HostileResult> {
	const { seconds, heapMiB, residentMiB, cpuSeconds: maxCpuSeconds } = { ...BUDGET, ...options };
	const before = options.untouched === undefined ? [] : listing(options.untouched);
	const start = performance.now();
	const node = [`--max-old-space-size=${heapMiB}`, COMPILED_MAIN, ...args];
	const child = spawn(process.execPath, node, {
		env: { ...process.env, ...options.env },
		stdio: ["ignore", "pipe", "pipe"],
		uid: options.uid,
		gid: options.uid,
	});
	let peakMiB = 0;
	let cpuSeconds = 0;
	const sampler = setInterval(() => {
		peakMiB = Math.max(peakMiB, peakOf(child.pid));
		cpuSeconds = Math.max(cpuSeconds, cpuSecondsOf(child.pid));
		if (cpuSeconds > maxCpuSeconds) child.kill("SIGKILL");
	}, 20);
	let timedOut = false;
	const watchdog = setTimeout(() => {
		timedOut = true;
		child.kill("SIGKILL");
	}, seconds * 1000);
	let [stdout, stderr] = ["", ""];
	child.stdout.on("data", (chunk: Buffer) => {
		stdout += chunk.toString();
	});
	child.stderr.on("data", (chunk: Buffer) => {
		stderr += chunk.toString();
	});
	const status = await new Promise<number | null>((resolve, reject) => {
		child.once("error", reject);
		child.once("close", resolve);
	});
	clearInterval(sampler);
	clearTimeout(watchdog);
	const said = `${args.join(" ")}\n${stderr.slice(0, 3000)}`;
	expect(cpuSeconds, `CPU seconds: ${said}`).toBeLessThanOrEqual(maxCpuSeconds);
	expect(timedOut, `ran longer than ${seconds} s: ${said}`).toBe(false);
	expect(stderr, said).not.toMatch(/^ {4}at /m);
	expect(stderr, said).not.toContain("INTERNAL_ERROR");
	expect(stderr, said).not.toContain("FATAL ERROR");
	expect([0, 2, 3, 4, 5, 6, 7, 8], said).toContain(status);
	expect(peakMiB, `resident memory: ${said}`).toBeLessThan(residentMiB);
	if (options.untouched !== undefined) expect(listing(options.untouched)).toEqual(before);
	const code = /^oci2iso: ([A-Z0-9_]+): /m.exec(stderr)?.[1];
	return {
		status,
		stdout,
		stderr,
		code,
		seconds: (performance.now() - start) / 1000,
		residentMiB: peakMiB,
		cpuSeconds,
	};
}

/** Builds an image that must be refused, and says with which exit status and error code. */
export async function refusedBuild(
	work: string,
	reference: string,
	args: readonly string[] = [],
	options: HostileOptions = {},
): Promise<string> {
	const out = join(work, "out");
	mkdirSync(out, { recursive: true });
	const iso = join(out, "x.iso");
	const run = await hostileRun(
		["build", reference, "-o", iso, "--comp", "none", "--force", "--tools", "builtin", ...args],
		{
			untouched: out,
			...options,
		},
	);
	return `${run.status} ${run.code}`;
}

export async function refusedInspect(
	reference: string,
	args: readonly string[] = [],
	options: HostileOptions = {},
): Promise<string> {
	const { status, code } = await hostileRun(["inspect", reference, ...args], options);
	return `${status} ${code}`;
}

function listing(directory: string): string[] {
	return existsSync(directory) ? readdirSync(directory, { recursive: true, encoding: "utf8" }).sort() : [];
}

function peakOf(pid: number | undefined): number {
	try {
		return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0) / 1024;
	} catch {
		return 0;
	}
}

/** proc_pid_stat(5): utime, stime and those of its children in hundredths, the 12th to 15th field behind the name. */
export function cpuSecondsOf(pid: number | undefined): number {
	try {
		const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.split(" ") ?? [];
		return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) / 100;
	} catch {
		return 0;
	}
}
