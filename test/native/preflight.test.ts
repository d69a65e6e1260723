import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { requireToolsCanRun } from "../../src/buildroot/preflight.ts";
import type { ToolOptions } from "../../src/buildroot/run.ts";
import { requires } from "../support/requires.ts";
import { compileLauncher } from "../support/small-root.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const noCompiler = requires("cc");
const noMount = noCompiler ?? requires("root", "mount", "umount");

describe.skipIf(noCompiler !== undefined)("before anything is read, tools", () => {
	const base = temporaryDirectory("preflight");
	let launcherPath = "";
	const check = (temporaryDirectory: string, options: ToolOptions = {}) =>
		requireToolsCanRun([["sh"]], { launcherPath, temporaryDirectory, ...options });
	const place = (): string => mkdtempSync(join(base, "place-"));

	beforeAll(() => {
		launcherPath = compileLauncher(base);
	});

	it("can run in any directory with room, and leave nothing there", async () => {
		const real = place();
		const odd = join(base, "a bü:;'cht\"");
		mkdirSync(odd);
		const link = join(base, "link");
		symlinkSync(real, link);
		for (const directory of [real, odd, link, relative(process.cwd(), real)]) {
			await check(directory);
			await check(directory, { confinement: "landlock" });
			expect(readdirSync(directory)).toEqual([]);
		}
	});

	it("cannot run where the temporary directory is missing or no directory", async () => {
		const file = join(place(), "file");
		writeFileSync(file, "");
		const dangling = join(place(), "dangling");
		symlinkSync("/nowhere", dangling);
		const circle = join(place(), "circle");
		symlinkSync("circle", circle);
		for (const directory of ["/nowhere", file, join(file, "below"), dangling, circle, "/proc/self"]) {
			const expected = {
				code: "TEMPORARY_DIRECTORY_UNWRITABLE",
				kind: "output",
				where: directory,
				remedy: expect.stringContaining("TMPDIR"),
			};
			await expect(check(directory)).rejects.toMatchObject(expected);
			await expect(check(directory, { source: "host" })).rejects.toMatchObject(expected);
		}
	});

	describe.skipIf(noMount !== undefined)("in a file system", () => {
		async function mounted(options: string, use: (directory: string) => Promise<void>): Promise<void> {
			const directory = place();
			execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", directory]);
			try {
				chmodSync(directory, 0o777);
			} catch {
				// mounted read-only
			}
			try {
				await use(directory);
				expect(readdirSync(directory)).toEqual([]);
			} finally {
				execFileSync("umount", [directory]);
			}
		}

		it.each([
			["size=64k", "TEMPORARY_DIRECTORY_FULL"],
			["size=8m", "TEMPORARY_DIRECTORY_FULL"],
			["nr_inodes=2", "TEMPORARY_DIRECTORY_FULL"],
			["ro", "TEMPORARY_DIRECTORY_UNWRITABLE"],
			["noexec", "TEMPORARY_DIRECTORY_NOEXEC"],
		])("mounted with %s give %s", (options, code) =>
			mounted(options, async (directory) => {
				const expected = { code, kind: "output", where: directory, remedy: expect.stringContaining("TMPDIR") };
				await expect(check(directory)).rejects.toMatchObject(expected);
			}),
		);

		it("of no use to programs serve the host's tools, which lie elsewhere", () =>
			mounted("noexec", (directory) =>
				requireToolsCanRun([["sh"]], { launcherPath, temporaryDirectory: directory, source: "host" }),
			));

		it("mounted nosuid and nodev serve", () => mounted("nosuid,nodev,size=20m", (directory) => check(directory)));
	});

	it("cannot run where nothing confines them, unless that is allowed", async () => {
		const launcher = join(place(), "launcher");
		writeFileSync(launcher, "#!/bin/sh\necho cannot-confine not here >&3\n");
		chmodSync(launcher, 0o755);
		for (const launcherPath of ["/nowhere", launcher]) {
			const directory = place();
			await expect(check(directory, { launcherPath })).rejects.toMatchObject({
				code: "TOOL_CANNOT_CONFINE",
				kind: "tool",
				what: expect.stringMatching(/namespaces: .*; landlock: /),
			});
			expect(readdirSync(directory)).toEqual([]);
		}
		await check(place(), { launcherPath: "/nowhere", confinement: "none" });
	});

	it("of the host are looked for", async () => {
		const wanted = requireToolsCanRun([["oci2iso-no-such-tool"]], { launcherPath, source: "host" });
		await expect(wanted).rejects.toMatchObject({ code: "TOOL_NOT_FOUND", what: expect.stringContaining("this host") });
	});
});
