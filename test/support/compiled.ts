import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";

const ROOT = join(import.meta.dirname, "..", "..");

/** The command line as it is shipped: it starts in a third of the time that its sources take. */
export const COMPILED_MAIN = join(ROOT, "dist", "cli", "main.js");

/** For `--changed` alone: what runs the command line is touched by whatever that is made of. */
export const commandLine = () => import("../../src/cli/main.ts");

/** Of `hostile-process.ts`, as deep as dist/'s files. */
export const COMPILED_HOSTILE_PROCESS = join(ROOT, "build", "test", "hostile-process.js");

/** Compiles the sources before tests run the command line, where something changed since they were compiled. */
export default function setup(): void {
	const newest = ["src", "test/support"]
		.flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true }))
		.map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs)
		.reduce((a, b) => Math.max(a, b));
	const isCurrent = (file: string) => (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) >= newest;
	if (!isCurrent(COMPILED_MAIN)) {
		const { status } = spawnSync(process.execPath, [join(ROOT, "scripts", "bundle.mjs")], { stdio: "inherit" });
		if (status !== 0) throw new Error("the sources do not compile");
	}
	if (isCurrent(COMPILED_HOSTILE_PROCESS)) return;
	const requireOf =
		'import { createRequire as requireOf } from "node:module"; const require = requireOf(import.meta.url);';
	buildSync({
		entryPoints: [join(import.meta.dirname, "hostile-process.ts")],
		outfile: COMPILED_HOSTILE_PROCESS,
		bundle: true,
		format: "esm",
		platform: "node",
		target: "node20.15",
		external: JSON.parse(readFileSync(join(ROOT, "scripts/outside-packages.json"), "utf8")),
		banner: { js: requireOf },
		logLevel: "warning",
	});
}
