import { type ChildProcess, spawn } from "node:child_process";
import { COMPILED_MAIN } from "./compiled.ts";

export interface CliResult {
	readonly status: number | null;
	readonly stdout: Buffer;
	readonly stderr: string;
}

/** Runs `oci2iso` as it is shipped, with a cache only where one is given. `onStart` gets the process, for signals. */
export function oci2iso(
	args: readonly string[],
	options: {
		readonly cwd?: string;
		readonly env?: NodeJS.ProcessEnv;
		/** Standard input. */
		readonly input?: string | Uint8Array;
		readonly onStderr?: (text: string, child: ChildProcess) => void;
	} = {},
): Promise<CliResult> {
	const own = args[0] === "build" && !args.includes("--cache") ? ["--no-cache"] : [];
	const child = spawn(process.execPath, [COMPILED_MAIN, ...args, ...own], {
		cwd: options.cwd,
		env: { ...process.env, ...options.env },
		stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
	});
	child.stdin?.end(options.input);
	const stdout: Buffer[] = [];
	let stderr = "";
	child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
	child.stderr?.on("data", (chunk: Buffer) => {
		stderr += chunk.toString();
		options.onStderr?.(stderr, child);
	});
	return new Promise((resolve, reject) => {
		child.on("error", reject);
		child.on("close", (status) => resolve({ status, stdout: Buffer.concat(stdout), stderr }));
	});
}
