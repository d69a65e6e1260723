import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Matcher } from "../../../src/selinux/matcher.ts";
import { parsePattern } from "../../../src/selinux/parse-pattern.ts";
import { Program } from "../../../src/selinux/program.ts";

function matcherOf(...patterns: readonly string[]): Matcher {
	const program = new Program();
	for (const [number, pattern] of patterns.entries()) expect(program.add(parsePattern(pattern), number)).toBe(true);
	return new Matcher(program);
}
const isMatch = (pattern: string, path: string): boolean => matcherOf(pattern).matches(path).length > 0;

describe("a path specification", () => {
	it("matches what the same expression of JavaScript does, where both mean the same", () => {
		const atom = fc.constantFrom("a", "b", "/", ".", "[ab]", "[^a/]", "\\.", "\\d", "\\W", "1", "[a-c1]", "\\/");
		const { pattern } = fc.letrec<{ pattern: string }>((tie) => ({
			pattern: fc.oneof(
				{ maxDepth: 4, withCrossShrink: true },
				atom,
				fc.tuple(tie("pattern"), tie("pattern")).map(([a, b]) => a + b),
				fc.tuple(tie("pattern"), tie("pattern")).map(([a, b]) => `(${a}|${b})`),
				fc.tuple(tie("pattern"), tie("pattern")).map(([a, b]) => `${a}|${b}`),
				fc
					.tuple(tie("pattern"), fc.constantFrom("*", "+", "?", "*?", "{2}", "{1,}", "{0,3}"))
					.map(([a, q]) => `(?:${a})${q}`),
			),
		}));
		const path = fc
			.array(fc.constantFrom("a", "b", "c", "/", ".", "1", "\xff"), { maxLength: 8 })
			.map((c) => c.join(""));
		fc.assert(
			fc.property(
				fc.array(pattern, { minLength: 1, maxLength: 4 }),
				fc.array(path, { maxLength: 20 }),
				(patterns, paths) => {
					const matcher = matcherOf(...patterns);
					for (const each of paths) {
						const wanted = patterns.flatMap((one, number) => (new RegExp(`^${one}$`, "s").test(each) ? [number] : []));
						expect(matcher.matches(each)).toEqual(wanted);
					}
				},
			),
			{ numRuns: 300 },
		);
	});

	it.each([
		["/a", "/a\n", true],
		["/a", "/a\n\n", false],
		["/a[[:alpha:][:digit:]]", "/ax", true],
		["/a[[:^alpha:]]", "/ax", false],
		["/a[]x]", "/a]", true],
		["/a[\\]x-]", "/a-", true],
		["/a{,b", "/a{,b", true],
		["/a(?<n>b)\\x41\\x{42}\\101", "/abAB1", false],
		["/a\\x41\\x{42}", "/aAB", true],
		["/a\\Qb", "", undefined],
	])("%s and %j: %s", (pattern, path, wanted) => {
		if (wanted === undefined) expect(() => parsePattern(pattern)).toThrow();
		else if (pattern.includes("\\101")) expect(() => parsePattern(pattern)).toThrow("it has \\1");
		else expect(isMatch(pattern, path)).toBe(wanted);
	});

	it.each([
		["/(a", '"(" is not closed'],
		["/a)", '")" closes nothing'],
		["/[a", '"[" is not closed'],
		["*a", '"*" has nothing to repeat'],
		["a**", "a quantifier is repeated"],
		["a*+", "a quantifier is possessive"],
		["(?=a)", "an option, an assertion or a special group"],
		["(?i)a", "an option, an assertion or a special group"],
		["(a)\\1", "it has \\1"],
		["\\bab", "it has \\b"],
		["a{,3}", "versions of PCRE2 read this interval differently"],
		["a{2,1}", "{2,1} is not a range of counts"],
		["[b-a]", "a range in brackets has no order"],
		["[[.a.]]", "[.a.] is not a class"],
		["a\\", "it ends in a backslash"],
		["(".repeat(300), "groups are nested too deeply"],
	])("%s is refused: %s", (pattern, why) => {
		expect(() => parsePattern(pattern)).toThrow(why);
	});

	it("is read or refused, whatever it is", () => {
		fc.assert(
			fc.property(fc.array(fc.constantFrom(..."ab1/.^$*+?()[]{}|\\-,:=!<>xdQ "), { maxLength: 20 }), (characters) => {
				const text = characters.join("");
				let pattern: ReturnType<typeof parsePattern>;
				try {
					pattern = parsePattern(text);
				} catch (error) {
					expect((error as Error).constructor.name).toBe("PatternFault");
					return;
				}
				const program = new Program();
				if (program.add(pattern, 0)) new Matcher(program).matches("/ab1");
			}),
			{ numRuns: 3000 },
		);
	});

	it("takes no longer than its length allows", () => {
		const matcher = matcherOf("/(a*)*b", "/(a|a)*b", "/(.*){20}x", "/a{0,500}a{500}");
		const path = `/${"a".repeat(4000)}`;
		const before = performance.now();
		expect(matcher.matches(path)).toEqual([]);
		expect(performance.now() - before).toBeLessThan(20_000);
	});

	it.each([
		["many steps", () => "((a{0,65535}){0,65535})"],
		["no step, very often", () => "((((a{0}){65535}){65535}){65535}){65535}"],
		[
			"different sets of bytes",
			(i: number) => `/[0${[..."abcdefghijklmnopq"].filter((_, bit) => (i >> bit) & 1).join("")}]`,
		],
	])("is refused where it comes to %s", (_, patternOf) => {
		const large = new Program();
		expect(() => {
			for (let i = 0; i < 1_000_000; i++) large.add(parsePattern(patternOf(i)), i);
		}).toThrow("SELINUX_POLICY_TOO_LARGE");
	});

	it("may have many ends", () => {
		expect(new Program().add(parsePattern("/($|x){65535}y"), 0)).toBe(true);
		expect(new Program().add(parsePattern("/($|x){65535}\\n"), 0)).toBe(false);
	});
});
