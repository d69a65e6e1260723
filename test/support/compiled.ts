import { spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..");

/** The command line as it is shipped: it starts in a third of the time that its sources take. */
export const COMPILED_MAIN = join(ROOT, "dist", "cli", "main.js");

/** For `--changed` alone: what runs the command line is touched by whatever that is made of. */
export const commandLine = () => import("../../src/cli/main.ts");

/** Compiles the sources before tests run the command line, where something changed since they were compiled. */
export default function setup(): void {
	const newest = readdirSync(join(ROOT, "src"), { recursive: true, withFileTypes: true })
		.map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs)
		.reduce((a, b) => Math.max(a, b));
	const compiled = statSync(COMPILED_MAIN, { throwIfNoEntry: false });
	if (compiled !== undefined && compiled.mtimeMs >= newest) return;
	const { status } = spawnSync(process.execPath, [join(ROOT, "scripts", "bundle.mjs")], { stdio: "inherit" });
	if (status !== 0) throw new Error("the sources do not compile");
}
