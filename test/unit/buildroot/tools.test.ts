import { describe, expect, test } from "vitest";
import { elToritoCore, requireTools, toolNotices } from "../../../src/buildroot/tools.ts";
import { noise } from "../../support/noise.ts";
import { SmallRoot } from "../../support/small-root.ts";
import { DIRECTORY } from "../boot/grub/made/core-image/grub-directory.ts";

const GRUB_DIRECTORY = "/usr/lib/grub/i386-pc";
const choice = { allowUnconfinedTools: false, signal: undefined } as const;

/** An image with what a core image is made of, and no program. */
function imageWithoutTools(): SmallRoot {
	const root = new SmallRoot();
	for (const [name, content] of Object.entries(DIRECTORY)) root.file(`${GRUB_DIRECTORY}/${name}`, content);
	for (const name of ["biosdisk", "part_gpt", "iso9660"]) root.file(`${GRUB_DIRECTORY}/${name}.mod`, name);
	return root;
}

describe("elToritoCore", () => {
	test("ends when the build is interrupted", async () => {
		const root = imageWithoutTools().file(
			`${GRUB_DIRECTORY}/biosdisk.mod`,
			noise(100_000).map((byte) => byte % 16),
		);
		const interrupt = new AbortController();
		const made = elToritoCore(root, GRUB_DIRECTORY, { ...choice, tools: "builtin", signal: interrupt.signal });
		interrupt.abort();
		await expect(made).rejects.toMatchObject({ code: "INTERRUPTED" });
	});

	test("is not made another way than was asked for", async () => {
		const made = elToritoCore(imageWithoutTools(), GRUB_DIRECTORY, { ...choice, tools: "buildroot" });
		await expect(made).rejects.toMatchObject({ code: "TOOL_NOT_FOUND" });
	});

	test("reads files through the image's symbolic links, and takes nothing else for a file", async () => {
		const linked = imageWithoutTools()
			.file("/usr/share/cdboot.img", DIRECTORY["cdboot.img"] ?? "")
			.symlink(`${GRUB_DIRECTORY}/cdboot.img`, "/usr/share/cdboot.img");
		const { image } = await elToritoCore(linked, GRUB_DIRECTORY, { ...choice, tools: "builtin" });
		expect(image.subarray(0, 2048)).toEqual(DIRECTORY["cdboot.img"]);
		const dangling = imageWithoutTools().symlink(`${GRUB_DIRECTORY}/cdboot.img`, "/nowhere");
		const failed = elToritoCore(dangling, GRUB_DIRECTORY, { ...choice, tools: "builtin" });
		await expect(failed).rejects.toMatchObject({ code: "GRUB_MODULE_MISSING", where: "i386-pc/cdboot.img" });
	});
});

describe("requireTools", () => {
	test("asks nothing of the machine where no tool will run", async () => {
		const before = process.env["TMPDIR"];
		process.env["TMPDIR"] = "/nowhere";
		try {
			await requireTools({ ...choice, tools: "builtin" });
			const wanted = requireTools({ ...choice, tools: "buildroot" });
			await expect(wanted).rejects.toMatchObject({ code: "TEMPORARY_DIRECTORY_UNWRITABLE", where: "/nowhere" });
		} finally {
			if (before === undefined) delete process.env["TMPDIR"];
			else process.env["TMPDIR"] = before;
		}
	});
});

test("what runs less confined than it might, or makes other bytes, is a notice", () => {
	const run = { task: "el-torito-core", used: "buildroot", path: "/usr/bin/grub-mkimage" } as const;
	expect(toolNotices({ task: "el-torito-core", used: "builtin" })).toEqual([]);
	expect(toolNotices({ ...run, confinement: "namespaces", sameAsBuiltin: true })).toEqual([]);
	expect(toolNotices({ ...run, confinement: "landlock", reason: "namespaces: forbidden" })).toEqual([
		"/usr/bin/grub-mkimage ran with landlock (namespaces: forbidden)",
	]);
	expect(toolNotices({ ...run, confinement: "namespaces", sameAsBuiltin: false })).toHaveLength(1);
});
