import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GiB, KiB, MiB } from "../../src/binary/units.ts";
import { makeElToritoCore } from "../../src/buildroot/el-torito-core.ts";
import { parseElf } from "../../src/buildroot/elf.ts";
import { findHostTool } from "../../src/buildroot/host-tool.ts";
import { implantMediaChecksum } from "../../src/buildroot/media-checksum.ts";
import { runTool, type ToolOptions, type ToolRequest } from "../../src/buildroot/run.ts";
import { elToritoCore, toolNotices } from "../../src/buildroot/tools.ts";
import { requires } from "../support/requires.ts";
import { compileLauncher, hostToolRoot, SmallRoot } from "../support/small-root.ts";

const GRUB = "/usr/lib/grub/i386-pc";
const BUILDROOT = { tools: "buildroot", allowUnconfinedTools: false } as const;
const grubMkimage = (await findHostTool(["grub2-mkimage", "grub-mkimage"])) ?? "grub-mkimage";
const noCompiler = requires("cc");
const noNamespaceTools = noCompiler ?? requires("root", "unshare", "nsenter");
const noMusl = noCompiler ?? requires("musl-gcc");
const noGrub = noCompiler ?? requires(grubMkimage, "ldd");
const noImplant = noCompiler ?? requires("implantisomd5", "checkisomd5", "xorriso", "ldd");

let base = "";
let temporaryDirectory = "";
let launcherPath = "";
let options: ToolOptions = {};

beforeAll(() => {
	if (noCompiler !== undefined) return;
	base = mkdtempSync(join(tmpdir(), "oci2iso-buildroot-"));
	temporaryDirectory = join(base, "temporary");
	mkdirSync(temporaryDirectory);
	launcherPath = compileLauncher(base);
	options = { launcherPath, temporaryDirectory };
});

afterAll(() => {
	if (base === "") return;
	expect(readdirSync(temporaryDirectory)).toEqual([]);
	rmSync(base, { recursive: true, force: true });
});

const WAYS: readonly [string, ToolOptions, string][] = [
	["from the image, in namespaces", { confinement: "namespaces" }, "namespaces"],
	["from the image, under Landlock", { confinement: "landlock" }, "landlock"],
	["from the image, unconfined", { confinement: "none" }, "limits"],
	["from the host, under Landlock", { source: "host" }, "landlock"],
	["from the host, with limits only", { source: "host", confinement: "none" }, "limits"],
	["from the image, unconfined and without a launcher", { confinement: "none", launcherPath: "/nowhere" }, "limits"],
];

describe.skipIf(noGrub !== undefined)("the El Torito core image", () => {
	it.each(WAYS)("made %s is what the tool makes when it is run directly", async (_, way, confinement) => {
		const output = join(base, "direct.img");
		const fixed = ["--prefix", "/boot/grub2", "--format", "i386-pc-eltorito", "--compression", "auto"];
		const modules = ["biosdisk", "part_gpt", "iso9660"];
		execFileSync(grubMkimage, ["--directory", GRUB, ...fixed, "--output", output, ...modules]);
		const tree = hostToolRoot(grubMkimage).host(GRUB);
		const { image, run } = await makeElToritoCore(tree, { path: GRUB }, { ...options, ...way });
		expect(Buffer.from(image).equals(readFileSync(output))).toBe(true);
		expect(run).toMatchObject({ confinement, source: way.source ?? "buildroot" });
	});

	it("is the same where the tool sees no module but those it needs", async () => {
		const tree = hostToolRoot(grubMkimage).host(GRUB);
		const all = await makeElToritoCore(tree, { path: GRUB }, options);
		const { image, report } = await elToritoCore(tree, GRUB, BUILDROOT);
		expect(report).toMatchObject({ used: "buildroot", sameAsBuiltin: true });
		expect(toolNotices(report)).toEqual([]);
		expect(Buffer.from(image).equals(all.image)).toBe(true);
		const seen: string[] = [];
		const needs = (name: string): boolean => seen.push(name) > 0 && /^(moddep\.lst|.*\.img)$/.test(name);
		await expect(makeElToritoCore(tree, { path: GRUB, needs }, options)).rejects.toMatchObject({ code: "TOOL_FAILED" });
		expect(seen.length).toBeGreaterThan(100);
	});

	it("is the tool's where it makes another, and that is said", async () => {
		const writes =
			'for (int i = 1; i < argc - 1; i++) if (!strcmp(argv[i], "--output")) return write(open(argv[i + 1], O_WRONLY), "x", 1) != 1; return 9';
		const tree = new SmallRoot().host(GRUB).file("/usr/bin/grub2-mkimage", compile(writes));
		const { image, report } = await elToritoCore(tree, GRUB, BUILDROOT);
		expect(Buffer.from(image).toString()).toBe("x");
		expect(report).toMatchObject({ path: "/usr/bin/grub2-mkimage", sameAsBuiltin: false });
		expect(toolNotices(report)).toEqual([expect.stringMatching(/^\/usr\/bin\/grub2-mkimage made another/)]);
	});

	it("is refused with the tool's own words where the tool fails", async () => {
		const tree = hostToolRoot(grubMkimage).file(`${GRUB}/moddep.lst`, "");
		await expect(makeElToritoCore(tree, { path: GRUB }, options)).rejects.toMatchObject({
			code: "TOOL_FAILED",
			exitStatus: 7,
			what: expect.stringContaining("status 1: "),
		});
	});

	it("is refused where there is no tool or no GRUB", async () => {
		await expect(makeElToritoCore(new SmallRoot(), { path: GRUB }, options)).rejects.toMatchObject({
			code: "TOOL_NOT_FOUND",
		});
		const tree = hostToolRoot(grubMkimage);
		await expect(makeElToritoCore(tree, { path: GRUB }, options)).rejects.toMatchObject({ code: "TOOL_INPUT_MISSING" });
	});
});

describe.skipIf(noImplant !== undefined)("the media checksum", () => {
	function makeIso(name: string): string {
		const content = join(base, "content");
		mkdirSync(content, { recursive: true });
		writeFileSync(join(content, "file"), Buffer.alloc(3 * MiB, "content"));
		const iso = join(base, name);
		execFileSync("xorriso", ["-as", "mkisofs", "-quiet", "-o", iso, content], { stdio: "ignore" });
		return iso;
	}

	it.each(WAYS)("implanted %s is what the tool implants when it is run directly", async (_, way, confinement) => {
		const iso = makeIso("image with spaces.iso");
		const direct = `${iso}.direct`;
		writeFileSync(direct, readFileSync(iso));
		execFileSync("implantisomd5", [direct]);
		const { run } = await implantMediaChecksum(hostToolRoot("/usr/bin/implantisomd5"), iso, { ...options, ...way });
		expect(readFileSync(iso).equals(readFileSync(direct))).toBe(true);
		expect(run.confinement).toBe(confinement);
		execFileSync("checkisomd5", [iso], { stdio: "ignore" });
	});

	it.each([
		["namespaces", 0],
		["landlock", 0],
		["namespaces", 1],
	] as const)("a tool that damages the ISO is found out: %s, ending with status %i", async (confinement, status) => {
		const iso = makeIso("damaged.iso");
		const program = `int fd = open(argv[1], O_WRONLY); pwrite(fd, "!", 1, 4096); return ${status}`;
		const tree = new SmallRoot().file("/usr/bin/implantisomd5", compile(program));
		const run = implantMediaChecksum(tree, iso, { ...options, confinement });
		await expect(run).rejects.toMatchObject({ code: "TOOL_DAMAGED_ISO", exitStatus: 7 });
	});

	it.each(["namespaces", "landlock"] as const)(
		"a tool cannot shorten the ISO or reach its data: %s",
		async (confinement) => {
			const iso = makeIso("kept.iso");
			const before = readFileSync(iso);
			const program =
				"int fd = open(argv[1], O_RDWR); if (fd < 0) return 2; if (ftruncate(fd, 0) == 0) return 0;" +
				'if (open(argv[1], O_RDWR | O_TRUNC) >= 0) return 0; pwrite(fd, "!", 1, 65536); return 1;';
			const tree = new SmallRoot().file("/usr/bin/implantisomd5", compile(program));
			const run = implantMediaChecksum(tree, iso, { ...options, confinement });
			await expect(run).rejects.toMatchObject({
				code: "TOOL_FAILED",
				what: expect.stringMatching(/status 1|killed by 25/),
			});
			expect(readFileSync(iso).equals(before)).toBe(true);
		},
	);

	it("is refused where there is no ISO", async () => {
		const run = implantMediaChecksum(new SmallRoot(), join(base, "none.iso"), options);
		await expect(run).rejects.toMatchObject({ code: "ISO_UNREADABLE" });
	});
});

describe.skipIf(noCompiler !== undefined)("running a tool", () => {
	const request = (program: string, changes: Partial<ToolRequest> = {}): ToolRequest => ({
		tree: new SmallRoot().file("/usr/bin/tool", compile(program)),
		names: ["tool"],
		args: (paths) => [paths.writable("out")],
		outputs: [{ name: "out", maxBytes: 100 }],
		limits: { timeoutSeconds: 20, cpuSeconds: 20, addressSpaceBytes: GiB, fileBytes: 4 * KiB },
		options,
		...changes,
	});
	const write = (text: string, then = "return 0"): string =>
		`int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0666); write(fd, "${text}", ${text.length}); ${then};`;

	it("collects what it wrote and said", async () => {
		const { outputs, stdout, stderr, toolPath } = await runTool(
			request(write("made", 'puts("out"); fputs("err", stderr); return 0')),
		);
		expect(Buffer.from(outputs.get("out") ?? []).toString()).toBe("made");
		expect({ stdout, stderr, toolPath }).toEqual({ stdout: "out\n", stderr: "err", toolPath: "/usr/bin/tool" });
	});

	it.each<[string, string, string, RegExp]>([
		["fails", 'fputs("first\\nlast words\\n", stderr); return 3', "TOOL_FAILED", /status 3: first \| last words$/],
		["says it succeeded but wrote nothing", "return 0", "TOOL_OUTPUT_MISSING", /did not write out/],
		["writes too much", write("x".repeat(101)), "TOOL_OUTPUT_TOO_LARGE", /101 bytes/],
		["crashes", "raise(SIGSEGV); return 0", "TOOL_FAILED", /killed by 11/],
	])("that %s is an error with exit 7", async (_, program, code, what) => {
		await expect(runTool(request(program))).rejects.toMatchObject({
			code,
			exitStatus: 7,
			where: "/usr/bin/tool",
			what: expect.stringMatching(what),
		});
	});

	it.each(["namespaces", "landlock", "none"] as const)("that does not end is ended: %s", async (confinement) => {
		const run = runTool(request("for (;;) pause();", { options: { ...options, confinement, timeoutSeconds: 1 } }));
		await expect(run).rejects.toMatchObject({ code: "TOOL_TIMED_OUT" });
	});

	it("that does not end is ended also without a launcher", async () => {
		const unconfined = { ...options, confinement: "none", launcherPath: "/nowhere", timeoutSeconds: 1 } as const;
		await expect(runTool(request("for (;;) pause();", { options: unconfined }))).rejects.toMatchObject({
			code: "TOOL_TIMED_OUT",
		});
	});

	it.each(["namespaces", "landlock", "none"] as const)("is interrupted with the build: %s", async (confinement) => {
		const controller = new AbortController();
		const begin = performance.now();
		setTimeout(() => controller.abort(), 300);
		const run = runTool(
			request("for (;;) pause();", { options: { ...options, confinement, signal: controller.signal } }),
		);
		await expect(run).rejects.toMatchObject({ code: "INTERRUPTED", exitStatus: 130 });
		expect(performance.now() - begin).toBeLessThan(10_000);
	});

	it("keeps only the end of what is said without end", async () => {
		const run = runTool(request('for (int i = 0; i < 300000; i++) puts("line"); fputs("end", stderr); return 1;'));
		await expect(run).rejects.toMatchObject({ code: "TOOL_FAILED", what: expect.stringContaining("end") });
	});

	it("is refused without a launcher, with both ways out named", async () => {
		const run = runTool(request(write("made"), { options: { ...options, launcherPath: "/nowhere" } }));
		await expect(run).rejects.toMatchObject({
			code: "TOOL_CANNOT_CONFINE",
			exitStatus: 7,
			remedy: expect.stringMatching(/--tools builtin.*--allow-unconfined-tools/),
		});
	});

	it.skipIf(noNamespaceTools !== undefined)(
		"falls back to Landlock where namespaces are forbidden, and says why",
		async () => {
			const wrapper = join(base, "without-namespaces");
			// Root of a user namespace that knows every id and may make no further namespaces.
			const script = `#!/bin/sh
			unshare -U sleep 5 >/dev/null 2>&1 3>&- &
			while [ "$(readlink /proc/$!/ns/user)" = "$(readlink /proc/$$/ns/user)" ]; do :; done
			echo 0 0 4294967295 >/proc/$!/uid_map
			echo 0 0 4294967295 >/proc/$!/gid_map
			exec nsenter -U -t $! -S 0 -G 0 sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$0" "$@"' ${launcherPath} "$@"\n`;
			writeFileSync(wrapper, script);
			chmodSync(wrapper, 0o755);
			const { confinement, confinementNotes } = await runTool(
				request(write("made"), { options: { ...options, launcherPath: wrapper } }),
			);
			expect(confinement).toBe("landlock");
			expect(confinementNotes).toEqual([expect.stringContaining("namespaces are not allowed here")]);
		},
	);

	it("has names that are not plain in its way nowhere", async () => {
		const odd = "/usr/lib/gr\xc3\xbcb and;more:colons";
		const program = `char p[999]; snprintf(p, 999, "%s/f", argv[2]); if (open(p, O_RDONLY) < 0) return 9; ${write("x")}`;
		const { outputs } = await runTool(
			request(program, {
				tree: new SmallRoot().file("/usr/bin/tool", compile(program)).file(`${odd}/f`, "content"),
				directories: [{ path: odd }],
				args: (paths) => [paths.writable("out"), paths.image(odd)],
			}),
		);
		expect(outputs.get("out")?.byteLength).toBe(1);
		const latin1 = request("return 0", { args: (paths) => [paths.image("/\xff")] });
		await expect(runTool(latin1)).rejects.toMatchObject({ code: "TOOL_PATH_UNSUPPORTED" });
	});

	it.skipIf(noMusl !== undefined).each(["namespaces", "landlock"] as const)(
		"works with musl's loader: %s",
		async (confinement) => {
			const directory = mkdtempSync(join(base, "musl-"));
			writeFileSync(join(directory, "half.c"), "int half(int x) { return x / 2; }");
			const main =
				'#include <stdio.h>\nint half(int); int main(int c, char **v) { return fprintf(fopen(v[1], "w"), "%d", half(84)) < 0; }';
			writeFileSync(join(directory, "main.c"), main);
			execFileSync("musl-gcc", ["-shared", "-fPIC", "-o", "libhalf.so", "half.c"], { cwd: directory });
			const link = ["-Wl,-rpath,$ORIGIN/../lib/own", "-L.", "-lhalf"];
			execFileSync("musl-gcc", ["-o", "tool", "main.c", ...link], { cwd: directory });
			const read = (name: string): Uint8Array => readFileSync(join(directory, name));
			const loader = parseElf(read("tool"), "tool").interpreter ?? "";
			const tree = new SmallRoot().host(loader).file("/usr/bin/tool", read("tool"));
			tree.file("/usr/lib/own/libhalf.so", read("libhalf.so"));
			const { outputs } = await runTool(request("return 0", { tree, options: { ...options, confinement } }));
			expect(Buffer.from(outputs.get("out") ?? []).toString()).toBe("42");
		},
	);
});

/** A static executable whose main is `body`. */
function compile(body: string): Uint8Array {
	const directory = mkdtempSync(join(base, "compile-"));
	const source = join(directory, "tool.c");
	const headers = ["fcntl", "signal", "stdio", "stdlib", "string", "sys/stat", "unistd"];
	const includes = headers.map((name) => `#include <${name}.h>\n`).join("");
	writeFileSync(source, `${includes}int main(int argc, char **argv) { (void)argc; (void)argv; ${body}; }\n`);
	execFileSync("cc", ["-w", "-static", "-o", join(directory, "tool"), source]);
	return readFileSync(join(directory, "tool"));
}
