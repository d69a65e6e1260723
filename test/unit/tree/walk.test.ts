import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { atOnce } from "../../../src/binary/turns.ts";
import { leavingOut } from "../../../src/layers/filter.ts";
import { cleanPath } from "../../../src/tree/path.ts";
import { countPaths, sortedEntries, walk } from "../../../src/tree/walk.ts";
import { drawTree, mergeLayers } from "./layers.ts";

const { root } = mergeLayers([
	[
		{ path: "b/z" },
		{ path: "b/a/x" },
		{ path: "b-c" },
		{ path: "B" },
		{ path: "b/link", type: "hard-link", linkTarget: "B" },
		{ path: "\xff", type: "symlink", linkTarget: "b" },
		{ path: "boot/efi/x", mode: 0o600 },
	],
]).tree;

describe("walk", () => {
	it("visits directories before their children, children in byte order", () => {
		const paths = [...walk(root)].map(({ path }) => path);
		expect(paths).toEqual([
			"",
			"B",
			"b",
			"b/a",
			"b/a/x",
			"b/link",
			"b/z",
			"b-c",
			"boot",
			"boot/efi",
			"boot/efi/x",
			"\xff",
		]);
		expect(sortedEntries(root).map(([name]) => name)).toEqual(["B", "b", "b-c", "boot", "\xff"]);
	});

	it("names the parent of each entry", () => {
		for (const { path, inode, parent } of walk(root)) {
			if (path === "") expect(parent).toBeUndefined();
			else expect(parent?.entries.get(path.slice(path.lastIndexOf("/") + 1))).toBe(inode);
		}
	});

	it("goes as deep as paths may be", () => {
		const deep = mergeLayers([[{ path: `${"d/".repeat(8191)}x` }]]).tree.root;
		expect([...walk(deep)].length).toBe(8193);
		expect(countPaths(deep)).toBe(8192);
		const deepest = `${"d/".repeat(8191)}x`;
		const filtered = atOnce(leavingOut(deep, (path) => path === deepest));
		expect([...walk(filtered.root)].length).toBe(8192);
		expect([...walk(deep)].length).toBe(8193);
	});
});

describe("leavingOut", () => {
	it("leaves out what is excluded, directories with all that is in them", () => {
		const asked: string[] = [];
		const { root: copy, excludedPaths } = atOnce(
			leavingOut(root, (path) => {
				asked.push(path);
				return path === "boot/efi" || path === "b/a" || path === "B";
			}),
		);
		expect(excludedPaths).toBe(countPaths(root) - countPaths(copy));
		expect(drawTree(copy)).toEqual(["b/", "b/link @0:3", "b/z @0:0", "b-c @0:2", "boot/", "\xff -> b"]);
		expect(asked).not.toContain("b/a/x");
		expect(asked).not.toContain("");
		expect(drawTree(root)).toContain("boot/efi/x @0:6");
	});

	it("is the tree itself where nothing is left out", () => {
		expect(atOnce(leavingOut(root, () => false))).toEqual({ root, excludedPaths: 0 });
		expect(atOnce(leavingOut(root, () => false)).root).toBe(root);
	});

	it("copies the directories above what is left out, and shares everything else", () => {
		const before = drawTree(root);
		const { root: copy } = atOnce(leavingOut(root, (path) => path === "boot/efi/x"));
		expect(drawTree(copy)).toEqual(before.filter((line) => !line.startsWith("boot/efi/x")));
		expect([...copy.entries.keys()]).toEqual([...root.entries.keys()]);
		expect(copy.entries.get("boot")).not.toBe(root.entries.get("boot"));
		expect(copy.entries.get("b")).toBe(root.entries.get("b"));
		expect(copy.entries.get("B")).toBe(root.entries.get("B"));
		expect(drawTree(root)).toEqual(before);
	});
});

describe("cleanPath", () => {
	it.each([
		["", ""],
		["..", ""],
		["/a//b/./c/", "a/b/c"],
		["a/../../b", "b"],
		[".a/..b/c..", ".a/..b/c.."],
		[".../x", ".../x"],
	])("%j is %j", (path, expected) => expect(cleanPath(path)).toBe(expected));

	it("changes nothing the second time, and leaves neither dots nor empty names", () => {
		const path = fc
			.array(fc.constantFrom("a", ".", "..", "/", ".b", "c.", "\xff"), { maxLength: 12 })
			.map((parts) => parts.join(""));
		fc.assert(
			fc.property(path, (text) => {
				const clean = cleanPath(text);
				expect(cleanPath(clean)).toBe(clean);
				if (clean !== "") expect(clean.split("/").filter((part) => ["", ".", ".."].includes(part))).toEqual([]);
			}),
			{ seed: 6, numRuns: 1000 },
		);
	});
});
