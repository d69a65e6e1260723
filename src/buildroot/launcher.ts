import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { resolve } from "node:path";
import type { Readable } from "node:stream";
import { KiB } from "../binary/units.ts";
import { BUILD_COMMAND } from "../codec/backend.ts";
import { interruption } from "../errors.ts";
import { builtFile } from "../native/built-file.ts";

/**
 * How a tool is kept from everything but its own files. `namespaces`: it sees nothing else. `landlock`: the kernel refuses everything else.
 * `limits`: neither, only resource and time limits. In the first two it cannot make sockets or processes either.
 */
export type Confinement = "namespaces" | "landlock" | "limits";

/** Resources that one run may use. */
export interface ToolLimits {
	/** Wall-clock time. */
	readonly timeoutSeconds: number;
	readonly cpuSeconds: number;
	readonly addressSpaceBytes: number;
	/** No write may go beyond this offset of any file. */
	readonly fileBytes: number;
}

/** A file that the tool may write, and its place below the root. */
interface WritableFile {
	/** Relative to the root, without "./". An existing regular file. */
	readonly guest: string;
	readonly host: string;
}

interface LaunchRequest {
	readonly confinement: Confinement;
	/** Host directory that becomes the tool's root, or all that it may read. */
	readonly root: string;
	/** Host directory to start in; the root in namespaces whatever this says. */
	readonly workingDirectory: string;
	/** Program and arguments. */
	readonly command: readonly string[];
	readonly writable: readonly WritableFile[];
	/** Whether opening a writable file may empty it. */
	readonly mayTruncate: boolean;
	readonly limits: ToolLimits;
	readonly signal?: AbortSignal | undefined;
	readonly launcherPath?: string | undefined;
}

export type LaunchOutcome =
	| { readonly kind: "exited"; readonly status: number }
	| { readonly kind: "killed"; readonly signal: string }
	| { readonly kind: "timed-out" }
	/** The kernel, or the container around us, does not allow this confinement. Nothing ran. */
	| { readonly kind: "cannot-confine"; readonly reason: string }
	| { readonly kind: "cannot-execute"; readonly reason: string };

export interface LaunchResult {
	readonly outcome: LaunchOutcome;
	/** The last 64 KiB of each. */
	readonly stdout: string;
	readonly stderr: string;
}

const KEPT_OUTPUT_BYTES = 64 * KiB;
/** The launcher enforces the time limit; this is for a launcher that does not answer. */
const WATCHDOG_GRACE_SECONDS = 5;

/** Runs one command to its end. Rejects only with `Oci2isoError` INTERRUPTED, after the tool is gone. */
export async function launch(request: LaunchRequest): Promise<LaunchResult> {
	if (request.signal?.aborted) throw interruption(request.signal);
	const launcher = resolve(request.launcherPath ?? builtFile("oci2iso_confine"));
	if (!(await isExecutable(launcher))) {
		const reason = `${launcher} is not built: it takes a C++ compiler and \`${BUILD_COMMAND}\``;
		if (request.confinement !== "limits")
			return { outcome: { kind: "cannot-confine", reason }, stdout: "", stderr: "" };
		return runProcess(request, request.command, false);
	}
	return runProcess(request, [launcher, ...launcherArguments(request), "--", ...request.command], true);
}

/** native/confine/main.c documents them. */
function launcherArguments(request: LaunchRequest): readonly string[] {
	const { limits } = request;
	return [
		`--mode=${request.confinement}`,
		`--root=${request.root}`,
		`--directory=${request.workingDirectory}`,
		`--wall-seconds=${Math.ceil(limits.timeoutSeconds)}`,
		`--cpu-seconds=${limits.cpuSeconds}`,
		`--address-space-bytes=${limits.addressSpaceBytes}`,
		`--file-bytes=${limits.fileBytes}`,
		...(request.mayTruncate ? [] : ["--no-truncate"]),
		...request.writable.flatMap(({ guest, host }) => ["--writable", guest, host]),
	];
}

function runProcess(
	request: LaunchRequest,
	command: readonly string[],
	reportsOutcome: boolean,
): Promise<LaunchResult> {
	const [program = "", ...args] = command;
	return new Promise((settle, reject) => {
		const child = spawn(program, args, {
			cwd: request.workingDirectory,
			env: {},
			stdio: reportsOutcome ? ["ignore", "pipe", "pipe", "pipe"] : ["ignore", "pipe", "pipe"],
			// Its own process group, so that nothing of an unconfined tool is left behind.
			detached: !reportsOutcome,
		});
		const report = tail(child.stdio[3] as Readable | null | undefined);
		const stdout = tail(child.stdout);
		const stderr = tail(child.stderr);
		const kill = (): void => {
			try {
				if (child.pid !== undefined) process.kill(reportsOutcome ? child.pid : -child.pid, "SIGKILL");
			} catch {
				// It is gone already.
			}
		};
		let timedOut = false;
		const watchdog = setTimeout(
			() => {
				timedOut = true;
				kill();
			},
			(request.limits.timeoutSeconds + (reportsOutcome ? WATCHDOG_GRACE_SECONDS : 0)) * 1000,
		);
		request.signal?.addEventListener("abort", kill, { once: true });
		const finish = (outcome: LaunchOutcome): void => {
			clearTimeout(watchdog);
			request.signal?.removeEventListener("abort", kill);
			if (!reportsOutcome) kill();
			if (request.signal?.aborted) reject(interruption(request.signal));
			else settle({ outcome, stdout: stdout(), stderr: stderr() });
		};
		child.once("error", (error) => finish({ kind: "cannot-execute", reason: error.message }));
		child.once("close", (status, signal) => {
			if (timedOut) finish({ kind: "timed-out" });
			else if (reportsOutcome) finish(parseReport(report(), stderr()));
			else if (signal !== null) finish({ kind: "killed", signal });
			else finish({ kind: "exited", status: status ?? 0 });
		});
	});
}

/** The launcher says on descriptor 3, which the tool does not have, how the run ended: one line. */
function parseReport(report: string, stderr: string): LaunchOutcome {
	const [, word, rest = ""] = /^([a-z-]+) ?(.*)$/s.exec(report.trimEnd()) ?? [];
	switch (word) {
		case "exited":
			return { kind: "exited", status: Number(rest) };
		case "killed":
			return { kind: "killed", signal: rest };
		case "timed-out":
			return { kind: "timed-out" };
		case "cannot-confine":
		case "cannot-execute":
			return { kind: word, reason: rest };
		default:
			return { kind: "cannot-confine", reason: `the launcher did not report (${stderr.trimEnd().slice(-200)})` };
	}
}

/** Keeps the end of a stream; a tool may write without end until its time is over. */
function tail(stream: Readable | null | undefined): () => string {
	let kept = Buffer.alloc(0);
	stream?.on("data", (chunk: Buffer) => {
		kept = Buffer.concat([kept, chunk]).subarray(-KEPT_OUTPUT_BYTES);
	});
	stream?.on("error", () => {});
	return () => kept.toString("utf8");
}

async function isExecutable(path: string): Promise<boolean> {
	try {
		await access(path, constants.X_OK);
		return true;
	} catch {
		return false;
	}
}
