// Makes man/ out of the commands and options of src/: a page for the program and for each command, which package.json's "man" names.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { root } from "./codec-sources.mjs";

const man = join(root, "man");
rmSync(man, { recursive: true, force: true });
mkdirSync(man);
const bundle = join(man, "manual.mjs");
try {
	await build({
		stdin: {
			contents: 'export { createProgram } from "./program.ts"; export { manualPages } from "./manual.ts";',
			resolveDir: join(root, "src/cli"),
		},
		outfile: bundle,
		bundle: true,
		format: "esm",
		platform: "node",
		target: "node20.15",
		packages: "external",
		logLevel: "warning",
	});
	const { createProgram, manualPages } = await import(bundle);
	const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
	const program = createProgram(() => {});
	for (const [name, page] of manualPages(program, version, date())) writeFileSync(join(man, name), page);
} finally {
	rmSync(bundle, { force: true });
}

/** When what is packed was changed last, as YYYY-MM-DD. */
function date() {
	const git = () => spawnSync("git", ["log", "-1", "--format=%ct"], { cwd: root, encoding: "utf8" }).stdout;
	const seconds = Number(process.env.SOURCE_DATE_EPOCH || git() || Date.now() / 1000);
	return new Date(seconds * 1000).toISOString().slice(0, 10);
}
