import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { atOnce } from "../../../src/binary/turns.ts";
import { Oci2isoError } from "../../../src/errors.ts";
import { compileXattrDropper } from "../../../src/layers/drop-xattrs.ts";
import { compileXattrPattern } from "../../../src/layers/xattr-pattern.ts";
import type { DirectoryInode } from "../../../src/tree/inode.ts";
import type { TarMember } from "../../support/tar-fixtures.ts";
import { mergeLayers } from "./layers.ts";

describe("patterns for extended attributes", () => {
	it.each([
		["security.selinux", "security.selinux", true],
		["security.selinux", "security.selinux2", false],
		["security.selinux", "xsecurity.selinux", false],
		["user.*", "user.a/b.c", true],
		["*.capability", "security.capability", true],
		["user.?", "user.\xff", true],
		["user.[^a-c]*", "user.dc", true],
		["user.[]]", "user.]", true],
		["user.[a-]", "user.-", true],
		["user.caf\u00e9", "user.caf\xc3\xa9", true],
		["*a*a*a*b", "a".repeat(200), false],
	])("%s and %s: %s", (pattern, name, expected) => {
		expect(compileXattrPattern(pattern)(name)).toBe(expected);
	});

	it.each(["", "user.[a", "user.[b-a]", "user.\\", "user.[[:alpha:]]", "user.[\\]]"])("refuses %j", (pattern) => {
		expect(() => compileXattrPattern(pattern)).toThrow(Oci2isoError);
	});

	it("match as the shell's do", () => {
		const token = fc.constantFrom("a", "b", ".", "*", "?", "[ab]", "[!a]", "\\*");
		const cases = fc.sample(
			fc.tuple(
				fc.array(token, { minLength: 1, maxLength: 6 }).map((parts) => parts.join("")),
				fc.array(fc.constantFrom("a", "b", ".", "*"), { minLength: 1, maxLength: 7 }).map((parts) => parts.join("")),
			),
			{ seed: 7, numRuns: 400 },
		);
		const script = "while [ $# -gt 0 ]; do case $2 in ($1) printf y;; (*) printf n;; esac; shift 2; done";
		const shell = execFileSync("sh", ["-c", script, "sh", ...cases.flat()]).toString();
		expect(cases.map(([pattern, name]) => (compileXattrPattern(pattern)(name) ? "y" : "n")).join("")).toBe(shell);
		expect(shell).toMatch(/y[^y]*y[^y]*y/);
	});
});

const label = Buffer.from("label");
const xattrs = (...names: string[]) => new Map(names.map((name) => [name, label]));
const layers: TarMember[][] = [
	[
		{ path: "d/", type: "directory", xattrs: xattrs("security.selinux", "user.a") },
		{ path: "d/f", xattrs: xattrs("security.selinux") },
		{ path: "d/g", type: "hard-link", linkTarget: "d/f" },
		{ path: "d/h", xattrs: xattrs("security.selinux") },
		{ path: "d/i", type: "symlink", linkTarget: "f", xattrs: xattrs("trusted.t", "user.b", "security.capability") },
		{ path: "./", type: "directory", xattrs: xattrs("user.root") },
	],
];

function namesOf(root: DirectoryInode): Record<string, string[]> {
	const d = root.entries.get("d");
	const below = d?.type === "directory" ? d.entries : new Map<string, never>();
	const inodes = [["", root] as const, ...root.entries, ...below];
	return Object.fromEntries(inodes.map(([name, inode]) => [name, [...inode.xattrs.keys()].sort()]));
}

describe("dropping extended attributes", () => {
	it("takes away what matches, counts inodes once, and keeps the rest", () => {
		const { root } = mergeLayers(layers).tree;
		const dropped = atOnce(compileXattrDropper(["security.selinux", "*.selinux", "user.*", "nothing"])(root));
		expect(dropped).toEqual([
			{ pattern: "security.selinux", count: 3 },
			{ pattern: "*.selinux", count: 0 },
			{ pattern: "user.*", count: 3 },
			{ pattern: "nothing", count: 0 },
		]);
		expect(namesOf(root)).toEqual({
			"": [],
			d: [],
			f: [],
			g: [],
			h: [],
			i: ["security.capability", "trusted.t"],
		});
	});

	it("keeps everything without a pattern", () => {
		const { root } = mergeLayers(layers).tree;
		const before = namesOf(root);
		expect(atOnce(compileXattrDropper([])(root))).toEqual([]);
		expect(namesOf(root)).toEqual(before);
	});
});
