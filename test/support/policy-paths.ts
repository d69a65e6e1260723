import type { ByteString } from "../../src/binary/byte-string.ts";
import { parsePattern } from "../../src/selinux/parse-pattern.ts";
import type { Pattern } from "../../src/selinux/pattern.ts";
import type { Specification } from "../../src/selinux/specifications.ts";
import type { Inode } from "../../src/tree/inode.ts";

/** Types of inodes, with their bits as `st_mode` has them. */
export const INODE_TYPES: readonly (readonly [Inode["type"], number])[] = [
	["file", 0o100000],
	["directory", 0o040000],
	["symlink", 0o120000],
	["character-device", 0o020000],
	["block-device", 0o060000],
	["fifo", 0o010000],
	["socket", 0o140000],
];

/** Paths that a policy's own patterns match, and near ones: `count`, the same for the same seed. */
export function pathsOf(specifications: readonly Specification[], count: number, seed: number): ByteString[] {
	const random = numbers(seed);
	return Array.from({ length: count }, () => {
		const one = specifications[random(specifications.length)];
		if (one === undefined) throw new Error("no specifications");
		const path = clean(spelled(parsePattern(one.pattern), random));
		return random(4) === 0 ? clean(changed(path, random)) : path;
	});
}

/** A whole number from 0 to below `below`. */
export type Random = (below: number) => number;

/** Mulberry32. */
export function numbers(seed: number): Random {
	let state = seed >>> 0;
	return (below) => {
		state = (state + 0x6d2b79f5) >>> 0;
		let t = Math.imul(state ^ (state >>> 15), state | 1);
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) % below;
	};
}

/** What is in a policy's directory, by suffix of `file_contexts`: rules that contradict each other, over few paths. */
export function oddPolicy(random: Random): Record<string, string> {
	const one = <Value>(values: readonly Value[]): Value => values[random(values.length)] as Value;
	const times = (most: number, make: () => string): string =>
		Array.from({ length: 1 + random(most) }, () => make() + one(["\n", "\n", "\n", "\r\n", " \t\n\n", "\0x\n"]))
			.join("")
			.concat(one(["", "", "# x", "  "]))
			.replace(random(4) === 0 ? /\s*$/ : "", "");
	const name = (): string =>
		one([
			"a",
			"b",
			"c",
			"ab",
			"a\\.b",
			"a\\-b",
			"b\\_",
			"\\d",
			"(a|b)",
			"[ab]",
			"a?",
			"b+",
			".*",
			"[^/]+",
			"c{1,2}",
			"(/.*)?",
			"a|/b",
			"x]",
			"\\x61",
		]);
	const path = (): string =>
		Array.from({ length: 1 + random(5) }, () => `/${name()}`).join("") + one(["", "", "(/.*)?", "/?", ".*", "$", "/"]);
	const type = (): string => one(["", "", "\t--", " -d", "\t-l", " -s"]);
	let label = 0;
	const line = (): string =>
		`${one(["", " "])}${path()}${type()}\t${one(["<<none>>", `u:r:t${label++}:s0`, `u:r:t${label++}:s0`])}`;
	const plain = (): string => `/${one(["a", "b", "a/b", "b/c", "ab", "a/b/c"])}`;
	const substitution = (): string => `${one(["# ", "", "", ""])}${plain()} ${one(["/", plain(), plain()])}`;
	return {
		"": times(25, line),
		".homedirs": times(5, line),
		...(random(2) === 0 && { ".local": times(6, line) }),
		...(random(2) === 0 && { ".subs": times(3, substitution) }),
		...(random(2) === 0 && { ".subs_dist": times(3, substitution) }),
	};
}

/** Paths of what `oddPolicy` speaks of. */
export function oddPath(random: Random): ByteString {
	const names = ["a", "b", "c", "ab", "a.b", "a-b", "cc", "aa", "1", "x", "b\n", "\xe4", "x]"];
	return `/${Array.from({ length: random(6) }, () => names[random(names.length)]).join("/")}`;
}

function spelled(pattern: Pattern, random: Random): ByteString {
	switch (pattern.kind) {
		case "bytes":
			return String.fromCharCode(memberOf(pattern.members, random));
		case "sequence":
			return pattern.parts.map((part) => spelled(part, random)).join("");
		case "choice":
			return spelled(pattern.of[random(pattern.of.length)] ?? pattern, random);
		case "repeat": {
			const most = Math.min(pattern.most ?? pattern.least + 6, pattern.least + 6);
			const times = pattern.least + random(most - pattern.least + 1);
			return Array.from({ length: times }, () => spelled(pattern.part, random)).join("");
		}
		default:
			return "";
	}
}

/** Mostly what names are made of; now and then any byte. */
function memberOf(members: Uint8Array, random: Random): number {
	const common = [..."abcdlibxz019.-_/@"].map((c) => c.charCodeAt(0)).filter((code) => members[code] === 1);
	const all = [...members.keys()].filter((code) => code !== 0 && members[code] === 1);
	const from = common.length > 0 && random(20) > 0 ? common : all;
	return from[random(from.length)] ?? 0x61;
}

function changed(path: ByteString, random: Random): ByteString {
	const at = random(path.length + 1);
	const insertion = ["/", "x", ".so", "\n", "/lib/", "\xff", ""][random(7)] ?? "";
	return path.slice(0, at) + insertion + path.slice(at + random(3));
}

/** As paths of a tree are: absolute, without empty components. */
function clean(path: ByteString): ByteString {
	return `/${path
		.split("/")
		.filter((name) => name !== "")
		.join("/")}`;
}
