import { execFileSync, spawnSync } from "node:child_process";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";

export interface Machine {
	readonly processor: string;
	readonly processors: number;
	readonly memoryBytes: number;
	readonly kernel: string;
	readonly node: string;
	/** Processes waiting to run, over the last minute, when the benchmark began. */
	readonly load: number;
	/** First line of what each peer says about itself. */
	readonly versions: Readonly<Record<string, string>>;
}

/** Command, and how to ask for its version. */
const PEERS: readonly (readonly [string, ...string[]])[] = [
	["skopeo", "--version"],
	["umoci", "--version"],
	["mksquashfs", "-version"],
	["xorriso", "-version"],
	["tar2sqfs", "--version"],
	["mkfs.erofs", "-V"],
];

export function describeMachine(): Machine {
	const versions = PEERS.flatMap(([command, ...args]) => {
		const version = firstLine(command, args);
		return version === undefined ? [] : [[command, version] as const];
	});
	return {
		processor: cpus()[0]?.model ?? "unknown",
		processors: availableParallelism(),
		memoryBytes: totalmem(),
		kernel: release(),
		node: process.version,
		load: loadavg()[0] ?? 0,
		versions: Object.fromEntries(versions),
	};
}

/** Those of `needs` that are not on this machine; `root` is there when we are root. */
export function missingCommands(needs: readonly string[]): string[] {
	return needs.filter((need) => (need === "root" ? process.getuid?.() !== 0 : !isCommand(need)));
}

/** Waits until the disk has what was written, so that one trial does not pay for the one before it. */
export function flushDisk(): void {
	execFileSync("sync");
}

function isCommand(name: string): boolean {
	return spawnSync("sh", ["-c", 'command -v "$1"', "sh", name], { stdio: "ignore" }).status === 0;
}

function firstLine(command: string, args: readonly string[]): string | undefined {
	if (!isCommand(command)) return undefined;
	const { stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
	return `${stdout}\n${stderr}`
		.split("\n")
		.find((line) => /\d\.\d/.test(line))
		?.trim();
}
