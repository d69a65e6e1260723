// Does a job from a fresh checkout: installs the dependencies, compiles, builds the native addon, then runs what was asked for.
// Plain JavaScript, because it runs before anything is installed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [job = "", ...args] = process.argv.slice(2);

const jobs = {
	test: () => runTests(args),
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
must(process.execPath, [bin("typescript/bin/tsc"), "-p", "tsconfig.build.json"]);
const native = command(process.execPath, ["scripts/build-native.mjs"]);
if (native !== 0) console.error("oci2iso: the native addon was not built: going on with the portable codecs");
process.exit(run());

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

function runTests(rest) {
	const results = join(root, "build", "test-results.json");
	mkdirSync(dirname(results), { recursive: true });
	const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${results}`];
	const lint = command(process.execPath, [bin("@biomejs/biome/bin/biome"), "check", "."]);
	const types = command(process.execPath, [bin("typescript/bin/tsc"), "--noEmit"]);
	const tests = command(process.execPath, [bin("vitest/vitest.mjs"), "run", ...reporters, ...rest]);
	const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(results, "utf8"));
	// A suite that fails to load has no failed test of its own.
	const failed = Math.max(numFailedTests, tests === 0 ? 0 : 1) + (lint === 0 ? 0 : 1) + (types === 0 ? 0 : 1);
	if (lint !== 0) console.error("the lint check failed: see above");
	if (types !== 0) console.error("the type check failed: see above");
	console.log(`${numPassedTests} passed, ${failed} failed, ${numPendingTests} skipped`);
	return failed === 0 ? 0 : 1;
}

function tsx(script, rest) {
	return command(process.execPath, ["--import", "tsx", script, ...rest]);
}

function bin(path) {
	return join(root, "node_modules", path);
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
