// Makes dist/ out of src/: a few files with what each command needs, because a program of hundreds of files spends more time on finding them than on most of
// what it is asked. What only registries need stays outside, as packages. `--types` adds the declarations of the library.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { root } from "./codec-sources.mjs";

/** What only registries need, what is compiled for a machine, and what @cyclonedx/cyclonedx-library looks for, for XML and for checking, and goes without. */
const OUTSIDE = JSON.parse(readFileSync(join(root, "scripts/outside-packages.json"), "utf8"));
const dist = join(root, "dist");

rmSync(dist, { recursive: true, force: true });
const { metafile } = await build({
	absWorkingDir: root,
	entryPoints: ["src/cli/main.ts", "src/index.ts"],
	outbase: "src",
	outdir: dist,
	// as deep as src's folders: what is beside dist/ has one address in both
	chunkNames: "chunks/[name]-[hash]",
	bundle: true,
	splitting: true,
	format: "esm",
	platform: "node",
	target: "node20.15",
	external: OUTSIDE,
	// for the packages in it that are CommonJS
	banner: {
		js: 'import { createRequire as requireOf } from "node:module"; const require = requireOf(import.meta.url);',
	},
	metafile: true,
	logLevel: "warning",
});
writeFileSync(join(dist, "LICENSES.txt"), licences(Object.keys(metafile.inputs)));
if (process.argv.includes("--types")) declareTypes();

/** Of the packages that are in the bundle. */
function licences(files) {
	const packages = new Set(files.map((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]));
	packages.delete(undefined);
	return [...packages]
		.sort()
		.map((name) => {
			const directory = join(root, "node_modules", name);
			const files = readdirSync(directory).filter((file) => /^(licen[cs]e|notice)/i.test(file));
			const texts = files.map((file) => readFileSync(join(directory, file), "utf8"));
			return [name, ...(texts.length > 0 ? texts : [ofManifest(directory)])].join("\n\n");
		})
		.join("\n\n");
}

/** For lists of data that have no more. */
function ofManifest(directory) {
	const { license, author, contributors = [] } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
	if (license === undefined) throw new Error(`${directory} does not say its licence`);
	const people = [author, ...contributors].flatMap((who) => who?.name ?? who ?? []);
	return `${license}, by ${people.join(", ")}`;
}

function declareTypes() {
	const compiler = join(root, "node_modules/typescript/bin/tsc");
	const { status } = spawnSync(process.execPath, [compiler, "-p", "tsconfig.build.json"], {
		cwd: root,
		stdio: "inherit",
	});
	if (status !== 0) process.exitCode = 1;
}
