import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as zlib from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { requires } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const ROOT = join(import.meta.dirname, "../..");
const work = temporaryDirectory("package");
let project = "";
let files: readonly string[] = [];

function run(cwd: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
	// what npm sets for the scripts it runs is not for an npm of another project
	const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
	const { status, stdout, stderr } = spawnSync(command, args, { cwd, env: { ...own, ...env }, encoding: "utf8" });
	return { status, stdout, stderr };
}

/** Installs the packed package as npm lays it out in a project: its dependencies beside it. Needs no registry, they are those of this checkout. */
function installHoisted(archive: string): void {
	const modules = join(project, "node_modules");
	mkdirSync(join(modules, "oci2iso"), { recursive: true });
	expect(run(project, "tar", ["-xzf", archive, "-C", join(modules, "oci2iso"), "--strip-components=1"]).status).toBe(0);
	const wanted = Object.keys(packageJson.dependencies);
	for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
		const from = join(ROOT, "node_modules", name);
		if (existsSync(join(modules, name)) || !existsSync(from)) continue;
		mkdirSync(dirname(join(modules, name)), { recursive: true });
		symlinkSync(from, join(modules, name));
	}
}

describe.skipIf(requires("npm", "tar", "c++", "make", "python3"))("the published package", { timeout: 600_000 }, () => {
	beforeAll(() => {
		const checkout = join(work, "checkout");
		for (const name of ["src", "native", "scripts", "docs"])
			cpSync(join(ROOT, name), join(checkout, name), { recursive: true });
		for (const name of readdirSync(ROOT).filter((name) => /\.(json|md|gyp)$|^LICENSE$|^\.npmrc$/.test(name)))
			cpSync(join(ROOT, name), join(checkout, name));
		symlinkSync(join(ROOT, "node_modules"), join(checkout, "node_modules"));
		const packed = run(checkout, "npm", ["pack", "--json", "--pack-destination", work]);
		expect([packed.status, packed.stderr]).toEqual([0, expect.any(String)]);
		const listed = run(work, "tar", ["-tzf", join(work, `oci2iso-${packageJson.version}.tgz`)]).stdout;
		files = listed
			.trimEnd()
			.split("\n")
			.map((name) => name.replace(/^package\//, ""));
		expect(existsSync(join(checkout, "native/vendor"))).toBe(false);
		project = join(work, "project");
		installHoisted(join(work, `oci2iso-${packageJson.version}.tgz`));
	}, 600_000);

	it("has the program and what README points at, no maps of sources that are not in it and nothing of the tests", () => {
		for (const name of [
			"dist/cli/main.js",
			"dist/index.d.ts",
			"README.md",
			"SECURITY.md",
			"docs/pareto.svg",
			"docs/cli.md",
			"native/vendor/zstd/zstd.h",
		])
			expect(files).toContain(name);
		expect(files.filter((name) => /\.map$|^test|^src|\.node$/.test(name))).toEqual([]);
		expect(files.filter((name) => /^native\/vendor\/[^/]+\/LICENSE$/.test(name))).toHaveLength(2);
	});

	it("says without its addon which command builds it, never fails to install, and the command works where packages are hoisted", () => {
		const home = join(project, "node_modules/oci2iso");
		const main = join(home, "dist/cli/main.js");
		expect(run(project, process.execPath, [main, "--version"]).stdout).toBe(`${packageJson.version}\n`);
		const bare = join(work, "bin");
		mkdirSync(bare);
		symlinkSync(process.execPath, join(bare, "node"));
		const failed = run(home, process.execPath, [join(home, "scripts/install.mjs")], { PATH: bare });
		expect(failed.status).toBe(0);
		expect(failed.stderr).toMatch(
			/^oci2iso: installed without its native addon \(.*\); later: node \S*build-native\.mjs; .*\n$/,
		);
		if (!("zstdCompress" in zlib)) expect(failed.stderr).toMatch(/has no zstd .* choose --comp gzip\n$/);
		const command = /node (\S*build-native\.mjs)/.exec(failed.stderr)?.[1] ?? "";
		// what is tried is that all of its sources are there and are found, for which they need not be optimized
		const built = run(project, process.execPath, [command], { CFLAGS: "-O0", CXXFLAGS: "-O0" });
		expect([built.status, built.stderr]).toEqual([0, ""]);
		const probe = join(project, "probe.mjs");
		writeFileSync(
			probe,
			`const { codecs } = (await import("node:module")).createRequire(import.meta.url)("${home}/build/Release/oci2iso.node"); console.log(Object.keys(codecs).join());`,
		);
		expect(run(project, process.execPath, [probe]).stdout).toContain("zstd");
	});
});
