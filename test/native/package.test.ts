import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as zlib from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { writeContractLayout } from "../support/contract-layout.ts";
import { requires } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const ROOT = join(import.meta.dirname, "../..");
const work = temporaryDirectory("package");
const project = join(work, "project");
const home = join(project, "node_modules/oci2iso");
const prebuilt = join(home, "prebuilt", `${process.platform}-${process.arch}`);
let archive = "";
let image = "";

function run(cwd: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
	// what npm sets for the scripts it runs is not for an npm of another project
	const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
	const { status, stdout, stderr } = spawnSync(command, args, { cwd, env: { ...own, ...env }, encoding: "utf8" });
	return { status, stdout, stderr };
}

/** `npm pack` in a copy of this checkout, as it is. */
function pack(): string {
	const checkout = join(work, "checkout");
	for (const name of ["src", "native", "scripts", "docs", "build/Release"])
		cpSync(join(ROOT, name), join(checkout, name), { recursive: true });
	for (const name of readdirSync(ROOT).filter((name) => /\.(json|md|gyp)$|^LICENSE$|^\.npmrc$/.test(name)))
		cpSync(join(ROOT, name), join(checkout, name));
	symlinkSync(join(ROOT, "node_modules"), join(checkout, "node_modules"));
	const packed = run(checkout, "npm", ["pack", "--json", "--pack-destination", work]);
	expect([packed.status, packed.stderr]).toEqual([0, expect.any(String)]);
	for (const name of ["native/vendor", "prebuilt"]) expect(existsSync(join(checkout, name))).toBe(false);
	return join(work, `oci2iso-${packageJson.version}.tgz`);
}

/** The default build, by the program that npm put into the project. */
function build(output: string, env: NodeJS.ProcessEnv = {}) {
	const program = join(project, "node_modules/.bin/oci2iso");
	return run(project, process.execPath, [program, "build", image, "-o", output, "--no-cache", "--force"], env);
}

describe.skipIf(requires("npm", "tar", "c++", "make", "python3"))("the published package", { timeout: 600_000 }, () => {
	beforeAll(() => {
		archive = process.env["OCI2ISO_PACKAGE"] ?? pack();
		mkdirSync(project);
		writeFileSync(join(project, "package.json"), "{}");
		const installed = run(project, "npm", ["install", "--prefer-offline", "--ignore-scripts", archive]);
		expect([installed.status, installed.stderr]).toEqual([0, expect.any(String)]);
		image = writeContractLayout(join(work, "image"), []);
	}, 600_000);

	it("has the program and what README points at, no maps of sources that are not in it and nothing of the tests", () => {
		const files = run(work, "tar", ["-tzf", archive])
			.stdout.trimEnd()
			.split("\n")
			.map((name) => name.replace(/^package\//, ""));
		for (const name of ["dist/cli/main.js", "dist/index.d.ts", "README.md", "docs/pareto.svg", "docs/cli.md"])
			expect(files).toContain(name);
		expect(files.filter((name) => /\.map$|^test|^src|^native\/.*\.node$/.test(name))).toEqual([]);
		expect(files.filter((name) => /^native\/vendor\/[^/]+\/LICENSE$/.test(name))).toHaveLength(2);
	});

	it("makes the default ISO with the addon it brings, without having run a script; the install script finds nothing to do", () => {
		expect(run(project, "ldd", [join(prebuilt, "oci2iso.node")]).stdout).not.toMatch(/stdc\+\+|lzma|deflate|not found/);
		expect(readFileSync(join(prebuilt, "LICENSES.txt"), "utf8")).toMatch(/liblzma|libdeflate|^$/);
		const { status, stderr } = build("prebuilt.iso");
		expect([status, stderr]).toEqual([0, expect.not.stringMatching(/addon|slower/)]);
		expect(run(home, process.execPath, ["scripts/install.mjs"])).toEqual({ status: 0, stdout: "", stderr: "" });
		expect(existsSync(join(home, "build"))).toBe(false);
	});

	it.each([
		["nodenext", "nodenext", false],
		// every declaration is looked at once
		["preserve", "bundler", true],
	])("has types for module %s, moduleResolution %s", (module, moduleResolution, skipLibCheck) => {
		const types = join(ROOT, "node_modules/@types");
		const compilerOptions = {
			module,
			moduleResolution,
			noEmit: true,
			strict: true,
			skipLibCheck,
			target: "es2022",
		};
		writeFileSync(
			join(project, "tsconfig.json"),
			JSON.stringify({
				compilerOptions: { ...compilerOptions, typeRoots: [types], types: ["node"] },
				files: ["use.mts"],
			}),
		);
		writeFileSync(
			join(project, "use.mts"),
			`import { buildIso, inspectImage, planBuild, verifyAgainstImage } from "oci2iso";
			const report = await buildIso({ image: "oci:x", output: "x.iso", onEvent: (event) => console.log(event.type) });
			const plan = await planBuild({ image: "oci:x", comp: "xz" });
			console.log(report, plan, await inspectImage("oci:x"), await verifyAgainstImage("x.iso", { image: "oci:x" }));
			// @ts-expect-error no such compressor
			await planBuild({ image: "oci:x", comp: "rar" });`,
		);
		const checked = run(project, process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", "."]);
		expect([checked.status, checked.stdout]).toEqual([0, ""]);
	});

	it("on another kind of machine says without a compiler which command builds the addon, never fails to install, and the command works", () => {
		rmSync(join(home, "prebuilt"), { recursive: true });
		const bare = join(work, "bin");
		mkdirSync(bare);
		symlinkSync(process.execPath, join(bare, "node"));
		const failed = run(home, process.execPath, [join(home, "scripts/install.mjs")], { PATH: bare });
		expect(failed.status).toBe(0);
		expect(failed.stderr).toMatch(
			/^oci2iso: installed without its native addon \(.*\); later: node \S*build-native\.mjs; .*\n$/,
		);
		const without = build("portable.iso");
		if ("zstdCompress" in zlib) expect(without.status).toBe(0);
		else {
			expect(failed.stderr).toMatch(/has no zstd .* choose --comp gzip\n$/);
			expect([without.status, without.stderr]).toEqual([2, expect.stringMatching(/run `node \S*build-native\.mjs`/)]);
		}
		const command = /node (\S*build-native\.mjs)/.exec(failed.stderr)?.[1] ?? "";
		// what is tried is that all of its sources are there and are found, for which they need not be optimized
		const built = run(project, process.execPath, [command], { CFLAGS: "-O0", CXXFLAGS: "-O0" });
		expect([built.status, built.stderr]).toEqual([0, ""]);
		expect(build("compiled.iso").status).toBe(0);
		const [brought, compiled] = ["prebuilt.iso", "compiled.iso"].map((name) => readFileSync(join(project, name)));
		expect(brought?.equals(compiled ?? Buffer.alloc(0))).toBe(true);
	});
});
