import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { COMPILED_HOSTILE_PROCESS, COMPILED_MAIN } from "./compiled.ts";

/** What any hostile input may cost, unless a test says otherwise. */
const BUDGET = { seconds: 240, cpuSeconds: 30, heapMiB: 1024, residentMiB: 1024 };
/** More than a process has that has done nothing yet, less than would matter beside `BUDGET.residentMiB`. */
const MAX_IDLE_MIB = 250;

export interface HostileOptions {
	readonly seconds?: number;
	/** V8's heap, as `--max-old-space-size`. */
	readonly heapMiB?: number;
	/** Peak of the process. */
	readonly residentMiB?: number;
	/** Of the process and what it started. */
	readonly cpuSeconds?: number;
	readonly env?: NodeJS.ProcessEnv | undefined;
	/** Run as this user and group. */
	readonly uid?: number | undefined;
	/** Of every process, as a limit that none of them can raise (prlimit). */
	readonly processCpuSeconds?: number | undefined;
	/** A directory whose whole content must be the same afterwards; `-o` should lie in it. */
	readonly untouched?: string;
}

export interface HostileResult extends Outcome {
	/** Of the first line on standard error that is an error. */
	readonly code: string | undefined;
}

/**
 * Runs `oci2iso` and holds it to what every input must leave true: it ends in time and within memory, without a stack trace or an internal error,
 * with a documented exit status, and leaves nothing behind. A process of its own is only for what asks for something of the process: the others follow
 * one another in one.
 */
export async function hostileRun(args: readonly string[], options: HostileOptions = {}): Promise<HostileResult> {
	const { seconds, heapMiB, residentMiB, cpuSeconds: maxCpuSeconds } = { ...BUDGET, ...options };
	const { env, uid, processCpuSeconds } = options;
	const before = options.untouched === undefined ? [] : listing(options.untouched);
	const isShared = [env, uid, processCpuSeconds, options.heapMiB, options.residentMiB].every(
		(one) => one === undefined,
	);
	const running = isShared
		? await shared(args)
		: alone([`--max-old-space-size=${heapMiB}`, COMPILED_MAIN, ...args], { env, uid, processCpuSeconds });
	const { child } = running;
	const earlierCpuSeconds = isShared ? cpuSecondsOf(child.pid) : 0;
	let peakMiB = 0;
	let cpuSeconds = 0;
	const sample = () => {
		peakMiB = Math.max(peakMiB, residentMiBOf(child.pid, "VmHWM"));
		cpuSeconds = Math.max(cpuSeconds, cpuSecondsOf(child.pid) - earlierCpuSeconds);
		if (cpuSeconds > maxCpuSeconds) child.kill("SIGKILL");
	};
	const sampler = setInterval(sample, 20);
	let timedOut = false;
	const watchdog = setTimeout(() => {
		timedOut = true;
		child.kill("SIGKILL");
	}, seconds * 1000);
	const { status, stdout, stderr } = await running.ended;
	sample();
	clearInterval(sampler);
	clearTimeout(watchdog);
	if (isShared) giveBack(child);
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
	return { status, stdout, stderr, code };
}

interface Outcome {
	readonly status: number | null;
	readonly stdout: string;
	readonly stderr: string;
}

interface Running {
	readonly child: ChildProcess;
	readonly ended: Promise<Outcome>;
}

function alone(
	node: readonly string[],
	{ env = {}, uid, processCpuSeconds }: Pick<HostileOptions, "env" | "uid" | "processCpuSeconds">,
): Running {
	const limit = processCpuSeconds === undefined ? [] : ["prlimit", `--cpu=${processCpuSeconds}`, "--"];
	const [program = "", ...args] = [...limit, process.execPath, ...node];
	const child = spawn(program, args, {
		env: { ...process.env, ...env },
		stdio: ["ignore", "pipe", "pipe"],
		uid,
		gid: uid,
	});
	let [stdout, stderr] = ["", ""];
	child.stdout.on("data", (chunk: Buffer) => {
		stdout += chunk.toString();
	});
	child.stderr.on("data", (chunk: Buffer) => {
		stderr += chunk.toString();
	});
	const ended = new Promise<Outcome>((resolve, reject) => {
		child.once("error", reject);
		child.once("close", (status) => resolve({ status, stdout, stderr }));
	});
	return { child, ended };
}

/** Processes that wait for a command. */
const idle: ChildProcess[] = [];

async function shared(args: readonly string[]): Promise<Running> {
	const child = idle.pop() ?? (await startShared());
	// proc_pid_clear_refs(5): the peak is counted from here.
	writeFileSync(`/proc/${child.pid}/clear_refs`, "5");
	const ended = new Promise<Outcome>((resolve) => {
		child.once("message", (outcome) => resolve(outcome as Outcome));
		child.once("exit", (status) => resolve({ status: status === 0 ? null : status, stdout: "", stderr: "" }));
	});
	child.send(args);
	return { child, ended };
}

async function startShared(): Promise<ChildProcess> {
	const node = [`--max-old-space-size=${BUDGET.heapMiB}`, "--expose-gc"];
	const child = spawn(process.execPath, [...node, COMPILED_HOSTILE_PROCESS], {
		stdio: ["ignore", "ignore", "inherit", "ipc"],
	});
	await once(child, "message");
	return child;
}

/** One that has grown would make the next command look large. */
function giveBack(child: ChildProcess): void {
	if (!child.connected) return;
	for (const event of ["message", "exit"]) child.removeAllListeners(event);
	if (residentMiBOf(child.pid, "VmRSS") < MAX_IDLE_MIB) idle.push(child);
	else child.kill("SIGKILL");
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

function residentMiBOf(pid: number | undefined, field: "VmHWM" | "VmRSS"): number {
	try {
		const status = readFileSync(`/proc/${pid}/status`, "latin1");
		return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0) / 1024;
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
