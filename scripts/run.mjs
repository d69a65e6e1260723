// Does a job from a fresh checkout: installs the dependencies, compiles, builds the native addon, then runs what was asked for.
// Plain JavaScript, because it runs before anything is installed.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [job = "", ...args] = process.argv.slice(2);

const jobs = {
	test: () => runTests(args),
	package: () => makePackage(),
	demo: () => tsx("fixtures/demo.ts", args),
	bench: () => tsx("bench/main.ts", args),
	fixtures: () => tsx("fixtures/debian/make.ts", args),
};

const run = jobs[job];
if (run === undefined) {
	console.error(`usage: node scripts/run.mjs ${Object.keys(jobs).join("|")} [argument]...`);
	process.exit(2);
}
install();
// The fixtures of the whole suite are mostly downloads: they are made while the rest is compiled and the first tests run.
const fixtures = job === "test" && args.length === 0 ? beside("--import", "tsx", "test/support/make-fixtures.ts") : 0;
const compiled = beside("scripts/bundle.mjs");
const native = beside("scripts/build-native.mjs");
if ((await compiled) !== 0) process.exit(await compiled);
if ((await native) !== 0) console.error("oci2iso: the native addon was not built: going on with the portable codecs");
const status = await run();
await fixtures;
process.exit(status);

function install() {
	const lock = createHash("sha256")
		.update(readFileSync(join(root, "package-lock.json")))
		.digest("hex");
	const stamp = join(root, "node_modules", ".oci2iso-lock");
	if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
	// No install script is needed: the addon is compiled below, and what the packages with C sources would compile is never used.
	must("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
	mkdirSync(dirname(stamp), { recursive: true });
	writeFileSync(stamp, lock);
}

async function runTests(rest) {
	const results = join(root, "build", "test-results.json");
	mkdirSync(dirname(results), { recursive: true });
	const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${results}`];
	const checks = [beside(bin("@biomejs/biome/bin/biome"), "check", "."), beside(bin("typescript/bin/tsc"), "--noEmit")];
	const [lint, types] = await Promise.all(checks);
	const tests = command(process.execPath, [
		bin("vitest/vitest.mjs"),
		"run",
		"--passWithNoTests",
		...reporters,
		...rest,
	]);
	const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(readFileSync(results, "utf8"));
	// A suite that fails to load has no failed test of its own.
	const failed = Math.max(numFailedTests, tests === 0 ? 0 : 1) + (lint === 0 ? 0 : 1) + (types === 0 ? 0 : 1);
	for (const line of rungTimes(testResults)) console.log(line);
	if (lint !== 0) console.error("the lint check failed: see above");
	if (types !== 0) console.error("the type check failed: see above");
	console.log(`${numPassedTests} passed, ${failed} failed, ${numPendingTests} skipped`);
	return failed === 0 ? 0 : 1;
}

/** Packs what is published into build/, and tests it as others install it. */
function makePackage() {
	must("npm", ["pack", "--pack-destination", "build"]);
	const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
	process.env.OCI2ISO_PACKAGE = join(root, "build", `oci2iso-${version}.tgz`);
	const status = command(process.execPath, [bin("vitest/vitest.mjs"), "run", "test/native/package.test.ts"]);
	if (status === 0) console.log(`npm install ${process.env.OCI2ISO_PACKAGE}`);
	return status;
}

/** Of each rung its first folder below test/, its files and the seconds of its files together, of which two run at a time. */
function rungTimes(files) {
	const rungs = new Map();
	for (const { name, startTime, endTime } of files) {
		const rung = relative(join(root, "test"), name).split(sep)[0];
		const { count, seconds } = rungs.get(rung) ?? { count: 0, seconds: 0 };
		rungs.set(rung, { count: count + 1, seconds: seconds + (endTime - startTime) / 1000 });
	}
	const rows = [...rungs].sort(([, a], [, b]) => b.seconds - a.seconds);
	return [
		...rows.map(
			([rung, { count, seconds }]) => `${rung.padEnd(10)}${seconds.toFixed(0).padStart(6)} s in ${count} files`,
		),
		`${"in all".padEnd(10)}${(performance.now() / 1000).toFixed(0).padStart(6)} s on the clock`,
	];
}

function tsx(script, rest) {
	return command(process.execPath, ["--import", "tsx", script, ...rest]);
}

function bin(path) {
	return join(root, "node_modules", path);
}

/** Runs a program of JavaScript beside others. */
function beside(...parameters) {
	const child = spawn(process.execPath, parameters, { cwd: root, stdio: "inherit" });
	return new Promise((resolve) => child.on("close", (status) => resolve(status ?? 1)));
}

function must(program, parameters) {
	const status = command(program, parameters);
	if (status !== 0) process.exit(status);
}

function command(program, parameters) {
	const { status, error } = spawnSync(program, parameters, { cwd: root, stdio: "inherit" });
	if (error) console.error(`oci2iso: cannot run ${program}: ${error.message}`);
	return status ?? 1;
}
