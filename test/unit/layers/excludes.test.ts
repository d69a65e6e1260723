import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileExcludes, DEFAULT_EXCLUDES } from "../../../src/layers/excludes.ts";
import { compilePosixExtended } from "../../../src/layers/posix-regex.ts";

describe("excludes", () => {
	const isExcluded = compileExcludes(DEFAULT_EXCLUDES);

	it.each([
		"boot/efi/EFI",
		"/boot/efi/EFI/BOOT/BOOTX64.EFI",
		"boot/config-6.1",
		"boot/myconfig-6",
		"bootloader/efi/x",
		"usr/lib64/sysimage/rpm-extra/x",
		"var/lib/rpm-state/x",
		"var/lib64/rpm/x",
	])("by default drop %s", (path) => expect(isExcluded(path)).toBe(true));

	it.each([
		"",
		"/",
		"boot",
		"boot/efi",
		"boot/grub2",
		"boot/vmlinuz-6.1",
		"boot/initrd.img-6",
		"etc/boot/efi/x",
		"usr/lib/sysimage/rpm",
	])("by default keep %s", (path) => expect(isExcluded(path)).toBe(false));

	it("anchor at the root, unless a pattern begins with dots and a space", () => {
		expect(compileExcludes(["^b$"])("a/b/c")).toBe(false);
		expect(compileExcludes(["... ^b$"])("a/b/c")).toBe(true);
		expect(compileExcludes(["... ^d$"])("a/b/c")).toBe(false);
	});

	it("answer the same in whatever order paths are asked for, by the rule for each component", () => {
		const name = fc.constantFrom("boot", "efi", "bo", "x", "usr", "rpm", "a1");
		const path = fc.array(name, { minLength: 1, maxLength: 5 }).map((names) => names.join("/"));
		const slashed = fc.tuple(fc.constantFrom("", "/"), path, fc.constantFrom("", "/")).map((parts) => parts.join(""));
		const pattern = fc.oneof(
			fc
				.array(fc.constantFrom("boot", "e", ".*", "^x$", "r?pm", "a1"), { minLength: 1, maxLength: 3 })
				.map((all) => all.join("/")),
			fc.constantFrom("... efi", "... ^a", "... x$"),
		);
		const excludes = (pattern: string, path: string): boolean => {
			const names = path.split("/").filter((part) => part !== "");
			if (pattern.startsWith("... ")) return names.some((part) => new RegExp(pattern.slice(4)).test(part));
			const components = pattern.split("/");
			return names.length >= components.length && components.every((part, i) => new RegExp(part).test(names[i] ?? ""));
		};
		fc.assert(
			fc.property(fc.array(pattern, { maxLength: 4 }), fc.array(slashed, { maxLength: 20 }), (patterns, paths) => {
				const isExcluded = compileExcludes(patterns);
				const expected = paths.map((path) => patterns.some((pattern) => excludes(pattern, path)));
				expect(paths.map(isExcluded)).toEqual(expected);
			}),
			{ numRuns: 500 },
		);
	});

	it("match bytes, so a name that is not UTF-8 too", () => {
		expect(compileExcludes(["^caf.$"])("caf\xff")).toBe(true);
		expect(compileExcludes(["^café$"])("caf\xc3\xa9")).toBe(true);
	});

	it.each(["", "/", "... ", "./usr", "../usr", "... ./a", "... a/b"])('refuse the pattern "%s"', (pattern) => {
		expect(() => compileExcludes([pattern])).toThrow(
			expect.objectContaining({ code: "INVALID_PATTERN", exitStatus: 2 }),
		);
	});
});

describe("POSIX extended regular expressions", () => {
	it.each([
		["a*?b", "b", true],
		["^a+?$", "aaa", true],
		["^a{2}{2}$", "aaaa", true],
		["^a{2}{2}$", "aaa", false],
		["^a{,2}$", "", true],
		["^a{,2}$", "aaa", false],
		["^a{1,}$", "aaaaa", true],
		["^(ab|cd)+$", "abcdab", true],
		["^(|x)y$", "y", true],
		["a)", "a)", true],
		["^[]a]$", "]", true],
		["^[^]a]$", "b", true],
		["^[a-c]$", "b", true],
		["^[a-]$", "-", true],
		["^[\\n]$", "\\", true],
		["^[[:digit:][:upper:]_]+$", "A_1", true],
		["^[[:digit:]]$", "x", false],
		["^[[.-.]a]$", "-", true],
		["^[[=a=]b]$", "a", true],
		["^[^[:space:]]$", "\n", false],
		["^.$", "\n", true],
		["^\\.$", "x", false],
		["^\\w+$", "a_1", true],
		["\\<b", "a b", true],
		["\\<b", "ab", false],
		["^\\d$", "d", true],
		["^a\\$", "a$", true],
		["}", "}", true],
		["^\\{$", "{", true],
		["^a|b$", "ax", true],
	])("%s on %j is %s", (pattern, name, expected) => {
		expect(compilePosixExtended(pattern).test(name)).toBe(expected);
	});

	it.each([
		"*a",
		"(",
		"(a",
		"a{",
		"a{2,1}",
		"a{x}",
		"a{99999}",
		"[",
		"[a",
		"[b-a]",
		"[[:nope:]]",
		"a\\",
		"(a)\\1",
		"^*",
		"a|*b",
		"(+)",
		"\\b*",
	])("%s is refused", (pattern) => {
		expect(() => compilePosixExtended(pattern)).toThrow(expect.objectContaining({ code: "INVALID_PATTERN" }));
	});
});
