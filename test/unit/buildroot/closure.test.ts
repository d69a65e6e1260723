import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { toolClosure } from "../../../src/buildroot/closure.ts";
import { parseElf } from "../../../src/buildroot/elf.ts";
import { findExecutable } from "../../../src/buildroot/executable.ts";
import { SmallRoot } from "../../support/small-root.ts";
import { type ElfParts, makeElf } from "./make-elf.ts";

const HOST_MACHINE = parseElf(readFileSync(process.execPath), "node").machine;
const LOADER = "/lib64/ld-test.so.1";

function elf(parts: ElfParts): Buffer {
	return makeElf(64, { machine: HOST_MACHINE, ...parts });
}

function toolRoot(tool: ElfParts, loader = LOADER): SmallRoot {
	return new SmallRoot().file("/usr/bin/tool", elf({ interpreter: loader, ...tool })).file(loader, elf({}));
}

async function closureOf(tree: SmallRoot) {
	const tool = findExecutable(tree, ["tool"]);
	if (tool === undefined) throw new Error("no tool");
	const { files, ...rest } = await toolClosure(tree, tool);
	return { ...rest, files: [...files.keys()].sort() };
}

describe("findExecutable", () => {
	it("prefers the earlier name, then the earlier directory, and follows links inside the image", () => {
		const tree = new SmallRoot()
			.file("/usr/bin/second", "")
			.file("/opt/real", "")
			.symlink("/usr/local/sbin/second", "../../../opt/real")
			.symlink("/bin", "usr/bin");
		expect(findExecutable(tree, ["first", "second"])?.path).toBe("/opt/real");
		tree.file("/usr/bin/first", "");
		expect(findExecutable(tree, ["first", "second"])?.path).toBe("/usr/bin/first");
	});
});

describe("the library closure", () => {
	it("is transitive, each library once, under the name it is asked for by", async () => {
		const tree = toolRoot({ needed: ["liba.so.1", "libb.so.1"] })
			.symlink("/lib", "usr/lib")
			.symlink("/usr/lib/liba.so.1", "liba.so.1.2.3")
			.file("/usr/lib/liba.so.1.2.3", elf({ needed: ["libb.so.1", "libc.so.6"] }))
			.file("/usr/lib/libb.so.1", elf({ needed: ["liba.so.1", "ld-test.so.1"] }))
			.file("/usr/lib/libc.so.6", elf({}))
			.file("/usr/lib/libunused.so", elf({}));
		expect(await closureOf(tree)).toEqual({
			tool: "/usr/bin/tool",
			loader: { path: LOADER, kind: "glibc" },
			libraryDirectories: ["/usr/lib"],
			files: [LOADER, "/usr/bin/tool", "/usr/lib/liba.so.1", "/usr/lib/libb.so.1", "/usr/lib/libc.so.6"],
		});
	});

	it("of a static executable is the executable", async () => {
		const tree = new SmallRoot().file("/usr/bin/tool", elf({}));
		expect(await closureOf(tree)).toMatchObject({ loader: undefined, files: ["/usr/bin/tool"] });
	});

	it.each<[string, ElfParts, ElfParts, string]>([
		["DT_RUNPATH", { runpath: "/opt/run" }, {}, "/opt/run"],
		["DT_RPATH", { rpath: "/opt/rpath" }, {}, "/opt/rpath"],
		["DT_RUNPATH before DT_RPATH", { rpath: "/opt/rpath", runpath: "/opt/run" }, {}, "/opt/run"],
		["$ORIGIN", { runpath: "$ORIGIN/../lib/own" }, {}, "/usr/lib/own"],
		// biome-ignore lint/suspicious/noTemplateCurlyInString: the loader's notation
		["${ORIGIN} with braces", { rpath: "${ORIGIN}/../lib/own" }, {}, "/usr/lib/own"],
		["the system's directories after an empty place", { runpath: "/nowhere:relative:$UNKNOWN/x" }, {}, "/usr/lib"],
	])("is searched for with %s", async (_, tool, library, directory) => {
		const tree = toolRoot({ needed: ["libx.so"], ...tool });
		for (const place of ["/opt/run", "/opt/rpath", "/usr/lib/own", "/usr/lib"])
			tree.file(`${place}/libx.so`, elf(library));
		expect((await closureOf(tree)).libraryDirectories).toEqual([directory]);
	});

	it("inherits DT_RPATH from who asked, but not DT_RUNPATH, nor into a library with its own", async () => {
		const build = (tool: ElfParts, middle: ElfParts): SmallRoot =>
			toolRoot({ needed: ["libm1.so"], ...tool })
				.file("/opt/a/libm1.so", elf({ needed: ["libx.so"], ...middle }))
				.file("/opt/a/libx.so", elf({}))
				.file("/usr/lib/libx.so", elf({}));
		const where = async (tree: SmallRoot): Promise<string | undefined> =>
			(await closureOf(tree)).files.find((path) => path.endsWith("libx.so"));
		expect(await where(build({ rpath: "/opt/a" }, {}))).toBe("/opt/a/libx.so");
		expect(await where(build({ runpath: "/opt/a" }, {}))).toBe("/usr/lib/libx.so");
		expect(await where(build({ rpath: "/opt/a" }, { runpath: "/nowhere" }))).toBe("/usr/lib/libx.so");
	});

	it("honours ld.so.conf with includes and wildcards before the default directories", async () => {
		const tree = toolRoot({ needed: ["libx.so", "liby.so"] })
			.file("/etc/ld.so.conf", "# comment\ninclude ld.so.conf.d/*.conf\ninclude /etc/ld.so.conf\n/opt/last\n")
			.file("/etc/ld.so.conf.d/10-a.conf", "/opt/first # why\n")
			.file("/etc/ld.so.conf.d/20-b.other", "/opt/ignored\n")
			.file("/opt/first/libx.so", elf({}))
			.file("/opt/ignored/liby.so", elf({}))
			.file("/opt/last/liby.so", elf({}))
			.file("/usr/lib/libx.so", elf({}));
		expect((await closureOf(tree)).libraryDirectories).toEqual(["/opt/first", "/opt/last"]);
	});

	it("passes over libraries of other architectures", async () => {
		const tree = toolRoot({ needed: ["libx.so"], runpath: "/a:/b:/c" })
			.file("/a/libx.so", makeElf(32, { machine: 3 }))
			.file("/b/libx.so", makeElf(64, { machine: 0x1234 }))
			.file("/c/libx.so", elf({}));
		expect(await closureOf(tree)).toMatchObject({ libraryDirectories: ["/c"] });
	});

	it("follows musl's rules for musl's loader", async () => {
		const loader = "/lib/ld-musl-x86_64.so.1";
		const tree = toolRoot({ needed: ["libx.so", "libc.musl-x86_64.so.1", "libz.so"], runpath: "/opt/a" }, loader)
			.file("/etc/ld-musl-x86_64.path", "/opt/b\n/opt/c")
			.file("/opt/a/libx.so", elf({ needed: ["libinherited.so"] }))
			.file("/opt/a/libinherited.so", elf({}))
			.file("/opt/c/libz.so", elf({}))
			.file("/usr/lib/libz.so", elf({}));
		expect(await closureOf(tree)).toMatchObject({
			loader: { path: loader, kind: "musl" },
			libraryDirectories: ["/opt/a", "/opt/c"],
		});
	});

	it.each<[string, () => SmallRoot, string]>([
		["a missing library", () => toolRoot({ needed: ["libnone.so"] }), "TOOL_LIBRARY_MISSING"],
		["a library named by its path", () => toolRoot({ needed: ["/usr/lib/libx.so"] }), "TOOL_LIBRARY_MISSING"],
		["a missing loader", () => new SmallRoot().file("/bin/tool", elf({ interpreter: LOADER })), "TOOL_LIBRARY_MISSING"],
		[
			"libraries without a loader",
			() => new SmallRoot().file("/bin/tool", elf({ needed: ["x"] })),
			"TOOL_LIBRARY_MISSING",
		],
		["a script", () => new SmallRoot().file("/bin/tool", "#!/bin/sh\nexit 0\n"), "TOOL_IS_SCRIPT"],
		["text", () => new SmallRoot().file("/bin/tool", "hello, this is no program"), "TOOL_MALFORMED"],
		["a foreign executable", () => toolRoot({ machine: 0x1234 }), "TOOL_FOREIGN_ARCHITECTURE"],
		["a broken library", () => toolRoot({ needed: ["libx.so"] }).file("/lib/libx.so", "text"), "TOOL_MALFORMED"],
	])("%s is refused with exit 7", async (_, tree, code) => {
		await expect(closureOf(tree())).rejects.toMatchObject({ code, exitStatus: 7 });
	});

	it("has a limit", async () => {
		const tree = toolRoot({ needed: ["lib0.so"] });
		for (let i = 0; i < 200; i++) tree.file(`/lib/lib${i}.so`, elf({ needed: [`lib${i + 1}.so`] }));
		await expect(closureOf(tree)).rejects.toMatchObject({ code: "TOOL_LIBRARY_MISSING" });
	});

	it("includes of ld.so.conf that name each other come to an end", async () => {
		const tree = toolRoot({ needed: ["libx.so"] }).file("/opt/x/libx.so", elf({}));
		for (let i = 0; i < 30; i++) tree.file(`/etc/c/${i}`, `include c/*\ninclude c/${"*".repeat(40)}z\n/opt/x\n`);
		tree.file("/etc/ld.so.conf", "include c/*\n");
		expect((await closureOf(tree)).libraryDirectories).toEqual(["/opt/x"]);
	});

	it("wildcards of ld.so.conf against many names, many times, come to an end", async () => {
		const tree = toolRoot({ needed: ["libx.so"] }).file("/usr/lib/libx.so", elf({}));
		for (let i = 0; i < 20_000; i++) tree.file(`/d/${i}${"a".repeat(40)}`, "");
		tree.symlink("/d/self", ".");
		const patterns = ["/d/*", "/d/*a*a*a*z", `/d${"/s*".repeat(30)}/*`, `/d/${"*a".repeat(100)}`];
		tree.file("/etc/ld.so.conf", patterns.map((pattern) => `include ${pattern}\n`.repeat(100)).join(""));
		expect((await closureOf(tree)).libraryDirectories).toEqual(["/usr/lib"]);
	});

	it("search paths that multiply have a limit", async () => {
		const rpath = Array.from({ length: 400 }, () => "$ORIGIN").join(":");
		const tree = toolRoot({ needed: ["lib0.so"], rpath });
		for (let i = 0; i < 100; i++) tree.file(`/usr/lib/lib${i}.so`, elf({ rpath, needed: [`lib${i + 1}.so`] }));
		await expect(closureOf(tree)).rejects.toMatchObject({
			code: "TOOL_LIBRARY_MISSING",
			what: expect.stringContaining("directories"),
		});
	});
});
