import { describe, expect, it } from "vitest";
import { createLookup } from "../../../src/tree/lookup.ts";
import type { TarMember } from "../../support/tar-fixtures.ts";
import { mergeLayers } from "./layers.ts";

const symlink = (path: string, linkTarget: string): TarMember => ({ path, type: "symlink", linkTarget });
const chain = Array.from({ length: 41 }, (_, i) => symlink(`l${i + 1}`, i === 0 ? "usr" : `l${i}`));
const { root } = mergeLayers([
	[
		{ path: "usr/lib/os-release" },
		{ path: "usr/lib/caf\xe9" },
		symlink("etc/os-release", "../usr/lib/os-release"),
		symlink("lib", "usr/lib"),
		symlink("usr/lib/up", "../.."),
		symlink("abs", "/usr/lib"),
		symlink("out", "../../../../usr"),
		symlink("slashed", "usr/lib/"),
		symlink("file-slashed", "usr/lib/os-release/"),
		symlink("dangling", "nowhere/at/all"),
		symlink("a", "b"),
		symlink("b", "a"),
		...chain,
		...Array.from({ length: 9 }, (_, i) =>
			symlink(`dots${i}`, `${"./".repeat(2040)}${i === 0 ? "usr" : `dots${i - 1}`}`),
		),
	],
]).tree;
const lookup = createLookup(root);

describe("lookup", () => {
	it.each([
		["/", "/"],
		["", "/"],
		["usr/lib/os-release", "/usr/lib/os-release"],
		["//usr/./lib//os-release", "/usr/lib/os-release"],
		["/etc/os-release", "/usr/lib/os-release"],
		["/lib/os-release", "/usr/lib/os-release"],
		["/abs/caf\xe9", "/usr/lib/caf\xe9"],
		["/out/lib", "/usr/lib"],
		["/lib/up/lib/up/usr", "/usr"],
		["/lib/..", "/usr"],
		["/../../usr/../..", "/"],
		["/usr/", "/usr"],
		["/lib/", "/usr/lib"],
		["/slashed/os-release", "/usr/lib/os-release"],
		["/l40/lib", "/usr/lib"],
	])("finds %s at %s", (path, expected) => expect(lookup(path)?.path).toBe(expected));

	it.each([
		"/nowhere",
		"/usr/nowhere/..",
		"/dangling",
		"/usr/lib/os-release/",
		"/usr/lib/os-release/..",
		"/usr/lib/os-release/x",
		"/file-slashed",
		"/usr/lib/os-release/.",
	])("finds nothing at %s", (path) => expect(lookup(path)).toBeUndefined());

	it("leaves the last link alone when asked, but not those before it, nor before a slash", () => {
		const options = { followLast: false };
		expect(lookup("/lib", options)).toMatchObject({ path: "/lib", inode: { type: "symlink" } });
		expect(lookup("/lib/up", options)).toMatchObject({ path: "/usr/lib/up", inode: { type: "symlink" } });
		expect(lookup("/lib/", options)).toMatchObject({ path: "/usr/lib", inode: { type: "directory" } });
		expect(lookup("/a", options)).toMatchObject({ path: "/a" });
		expect(lookup("/dangling", options)).toMatchObject({ path: "/dangling" });
	});

	it("stops after 40 links", () => {
		expect(() => lookup("/a")).toThrow(/SYMLINK_LOOP: more than 40 symbolic links \(\/a\)/);
		expect(() => lookup("/l41")).toThrow(/SYMLINK_LOOP/);
	});

	it("hands out the tree's own inodes", () => expect(lookup("/")?.inode).toBe(root));

	it("goes no more steps than the longest path has, whatever links are made of", () => {
		expect(lookup("/dots6")?.path).toBe("/usr");
		expect(() => lookup("/dots8")).toThrow("SYMLINK_LOOP");
	});
});
