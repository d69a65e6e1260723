import { describe, expect, test } from "vitest";
import { findExecutable, findUnusable } from "../../../src/buildroot/executable.ts";
import { runTool } from "../../../src/buildroot/run.ts";
import { SmallRoot } from "../../support/small-root.ts";
import { makeElf } from "./make-elf.ts";

const NAMES = ["grub2-mkimage", "grub-mkimage"];
const PLACE = "/usr/bin/grub2-mkimage";
const LIMITS = { timeoutSeconds: 1, cpuSeconds: 1, addressSpaceBytes: 1, fileBytes: 1 };

const UNUSABLE: readonly [string, (root: SmallRoot) => SmallRoot, string][] = [
	["a dangling link", (root) => root.symlink(PLACE, "/nowhere"), "missing or leads in a circle"],
	["a link to itself", (root) => root.symlink(PLACE, "grub2-mkimage"), "missing or leads in a circle"],
	[
		"one of two links to each other",
		(root) => root.symlink(PLACE, "other").symlink("/usr/bin/other", PLACE),
		"missing or leads in a circle",
	],
	["a link to a directory", (root) => root.symlink(PLACE, "/usr"), "a directory"],
	["a link out of the root to nothing", (root) => root.symlink(PLACE, "../../../../etc/x"), "missing"],
	["a directory", (root) => root.directory(PLACE), "a directory"],
	["a file without an x bit", (root) => root.file(PLACE, "data", 0o644), "a file that nobody may execute"],
	[
		"a link to a file without an x bit",
		(root) => root.symlink(PLACE, "/etc/data").file("/etc/data", "data", 0o4644),
		"a file that nobody may execute",
	],
];

describe("an image's tool", () => {
	test.each(UNUSABLE)("that is %s is passed over, and named where there is no other", async (_, put, why) => {
		const root = put(new SmallRoot());
		expect(findExecutable(root, NAMES)).toBeUndefined();
		expect(findUnusable(root, NAMES)).toMatchObject({ path: PLACE, what: expect.stringContaining(why) });
		await expect(runTool({ tree: root, names: NAMES, args: () => [], limits: LIMITS })).rejects.toMatchObject({
			code: "TOOL_UNUSABLE",
			kind: "tool",
			where: PLACE,
			what: expect.stringContaining(why),
			remedy: expect.not.stringContaining("TMPDIR"),
		});
		root.file("/bin/grub-mkimage", "other");
		expect(findExecutable(root, NAMES)).toMatchObject({ path: "/bin/grub-mkimage" });
	});

	test("that is not there at all is another thing", async () => {
		expect(findUnusable(new SmallRoot(), NAMES)).toBeUndefined();
		const run = runTool({ tree: new SmallRoot(), names: NAMES, args: () => [], limits: LIMITS });
		await expect(run).rejects.toMatchObject({ code: "TOOL_NOT_FOUND" });
	});

	test.each([
		["TOOL_MALFORMED", "", 0o755],
		["TOOL_MALFORMED", "no program", 0o6755],
		["TOOL_IS_SCRIPT", "#!/bin/sh\nexit 0\n", 0o755],
	])("that cannot be run gives %s", async (code, content, mode) => {
		const root = new SmallRoot().symlink(PLACE, "/opt/grub").file("/opt/grub", content, mode);
		const run = runTool({ tree: root, names: NAMES, args: () => [], limits: LIMITS });
		await expect(run).rejects.toMatchObject({ code, kind: "tool", remedy: expect.not.stringContaining("TMPDIR") });
	});

	test.each([
		["where outputs are", "/.oci2iso/out"],
		["as long as paths may be", `/${Array.from({ length: 16 }, (_, i) => `${i}`.padEnd(254, "x")).join("/")}`],
	])("whose path is %s is no matter of TMPDIR", async (_, path) => {
		const root = new SmallRoot().symlink(PLACE, path).file(path, makeElf(64, { needed: [] }));
		const outputs = [{ name: "out", maxBytes: 1 }];
		const run = runTool({ tree: root, names: NAMES, args: () => [], limits: LIMITS, outputs });
		await expect(run).rejects.toMatchObject({
			code: "TOOL_PATH_UNSUPPORTED",
			where: path,
			remedy: "use --tools builtin",
		});
	});
});
