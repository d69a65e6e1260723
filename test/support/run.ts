import { spawn } from "node:child_process";

/** Runs a command to its end and gives its standard output; a failure carries all that it printed. */
export async function run(command: string, args: readonly string[], options: { cwd?: string } = {}): Promise<string> {
	const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
	const out: Buffer[] = [];
	const all: Buffer[] = [];
	child.stdout.on("data", (chunk: Buffer) => {
		out.push(chunk);
		all.push(chunk);
	});
	child.stderr.on("data", (chunk: Buffer) => all.push(chunk));
	const status = await new Promise<number | null>((resolve, reject) => child.on("close", resolve).on("error", reject));
	if (status !== 0) {
		throw new Error(`${command} ${args.join(" ")}\nended with ${status}:\n${Buffer.concat(all).toString()}`);
	}
	return Buffer.concat(out).toString();
}
