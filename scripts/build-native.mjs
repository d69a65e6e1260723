/**
 * Builds the native addon, and the launcher that confines buildroot tools, into build/Release. Does nothing when they are up to date.
 * Exit status 1, with one line that says why, when they cannot be built; oci2iso then uses its portable codecs.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
	accessSync,
	constants,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { codecSources, root, VENDORED } from "./codec-sources.mjs";

const require = createRequire(import.meta.url);
const release = join(root, "build/Release");
const stampFile = join(release, "oci2iso.stamp");

function fail(reason) {
	process.stderr.write(`build:native: ${reason}\n`);
	process.exit(1);
}

function runs(command, args) {
	return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

/** Every file that takes part, what it is built for, and which libraries the system has. */
function fingerprint(compiler) {
	const hash = createHash("sha256");
	const sources = readdirSync(join(root, "native"), { recursive: true, encoding: "utf8" })
		.filter((name) => /\.(cc|c|h)$/.test(name))
		.sort()
		.map((name) => join("native", name))
		.filter((name) => !name.startsWith(VENDORED));
	for (const name of ["binding.gyp", ...sources]) hash.update(`${name}\0`).update(readFileSync(join(root, name)));
	for (const header of [join(codecSources("zstd"), "zstd.h"), join(codecSources("lz4"), "lz4.h")])
		hash.update(readFileSync(header));
	for (const name of ["node-addon-api", "node-gyp"])
		hash.update(`${name} ${require(`${name}/package.json`).version}\0`);
	hash.update(`${process.platform} ${process.arch} ${process.versions.modules} ${process.versions.zlib}\0`);
	for (const header of ["libdeflate.h", "lzma.h"]) {
		const probe = spawnSync(compiler, ["-E", "-"], {
			input: `#include <${header}>\n`,
			stdio: ["pipe", "ignore", "ignore"],
		});
		hash.update(`${header} ${probe.status}\0`);
	}
	return hash.digest("hex");
}

try {
	accessSync(root, constants.W_OK);
} catch {
	fail(`${root} is not yours to write to: run it as the user who installed it`);
}
// make knows no quotes in its targets
if (/\s/.test(root)) fail(`${root} has white space in its path, which make does not take: install it elsewhere`);
const compiler = process.env.CC ?? "cc";
if (!runs(compiler, ["--version"]) || !runs(process.env.CXX ?? "c++", ["--version"]) || !runs("make", ["--version"]))
	fail("needs a C++ compiler and make (Debian: apt-get install g++ make; Fedora: dnf install gcc-c++ make)");
if (!runs("python3", ["--version"])) fail("needs python3, which node-gyp runs on");
for (const name of ["node-gyp", "node-addon-api"]) {
	try {
		require.resolve(`${name}/package.json`);
	} catch {
		fail(`the package ${name} is not installed: run npm ci in a checkout, npm install where oci2iso is a dependency`);
	}
}
for (const name of ["zstd", "lz4"]) {
	try {
		readdirSync(codecSources(name));
	} catch {
		fail(`the C sources of ${name} are missing: run npm ci`);
	}
}

const print = fingerprint(compiler);
const built = existsSync(join(release, "oci2iso.node")) && existsSync(stampFile);
if (built && readFileSync(stampFile, "utf8") === print) process.exit(0);

const prefix = dirname(dirname(process.execPath));
const headers = existsSync(join(prefix, "include/node/node_api.h")) ? [`--nodedir=${prefix}`] : [];
rmSync(stampFile, { force: true });
const started = process.hrtime.bigint();
const build = spawnSync(
	process.execPath,
	[
		require.resolve("node-gyp/bin/node-gyp.js"),
		"configure",
		"build",
		"--silent",
		`--jobs=${availableParallelism()}`,
		...headers,
	],
	{ cwd: root, encoding: "utf8", maxBuffer: 64 * 2 ** 20 },
);
if (build.status !== 0) {
	process.stderr.write(build.stdout + build.stderr);
	fail("the compiler refused it; its messages are above");
}
mkdirSync(release, { recursive: true });
writeFileSync(stampFile, print);
const seconds = Number((process.hrtime.bigint() - started) / 1_000_000n) / 1000;
process.stdout.write(`build:native: built in ${seconds.toFixed(1)} s\n`);
