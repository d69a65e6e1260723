import type { ByteString } from "../binary/byte-string.ts";
import { POSIX_CLASSES } from "../binary/posix-classes.ts";
import { ANY_BYTE, bytesWhere, type Pattern } from "./pattern.ts";

/** As PCRE2 has it by default. */
const MAX_DEPTH = 250;
const MAX_REPEAT = 65_535;
const MAX_INTERVAL_BYTES = 32;

/** Classes of PCRE2 without UTF, in the C locale. */
const ESCAPED_CLASSES: Readonly<Record<string, RegExp>> = {
	d: /[0-9]/,
	w: /[A-Za-z0-9_]/,
	s: /[ \t-\r]/,
	h: /[ \t\xa0]/,
	v: /[\n-\r\x85]/,
};
const ESCAPED_BYTES: Readonly<Record<string, number>> = { a: 7, e: 27, f: 12, n: 10, r: 13, t: 9 };

/** Why a pattern cannot be read, and where in it. */
export class PatternFault extends Error {
	constructor(why: string, at: number) {
		super(`${why} (character ${at + 1})`);
	}
}

/**
 * Reads a pattern as `pcre2_compile(PCRE2_DOTALL)` does with one byte a character. Greedy or not is the same to whoever asks for a match alone.
 * Throws `PatternFault` for what PCRE2 refuses, and for what is no regular language or depends on the version of PCRE2: back-references, assertions but `^` and `$`,
 * possessive quantifiers, options.
 */
export function parsePattern(text: ByteString): Pattern {
	return new Parser(text).whole();
}

class Parser {
	readonly #text: ByteString;
	#at = 0;
	#depth = 0;

	constructor(text: ByteString) {
		this.#text = text;
	}

	whole(): Pattern {
		const pattern = this.#choice();
		if (this.#at < this.#text.length) this.#fail('")" closes nothing');
		return pattern;
	}

	#choice(): Pattern {
		const of = [this.#sequence()];
		while (this.#take("|")) of.push(this.#sequence());
		const [only] = of;
		return of.length === 1 && only !== undefined ? only : { kind: "choice", of };
	}

	#sequence(): Pattern {
		const parts: Pattern[] = [];
		for (let c = this.#text[this.#at]; c !== undefined && c !== "|" && c !== ")"; c = this.#text[this.#at])
			parts.push(this.#repeated(this.#atom(c)));
		return { kind: "sequence", parts };
	}

	#atom(c: string): Pattern {
		this.#at++;
		switch (c) {
			case "*":
			case "+":
			case "?":
				return this.#fail(`"${c}" has nothing to repeat`, -1);
			case "^":
				return { kind: "start" };
			case "$":
				return { kind: "end" };
			case ".":
				return { kind: "bytes", members: ANY_BYTE };
			case "(":
				return this.#group();
			case "[":
				return { kind: "bytes", members: this.#class() };
			case "{":
				if (this.#interval(this.#at - 1) !== undefined) this.#fail('"{" has nothing to repeat', -1);
				return byte(c.charCodeAt(0));
			case "\\":
				return { kind: "bytes", members: this.#escape(false) };
			default:
				return byte(c.charCodeAt(0));
		}
	}

	#group(): Pattern {
		if (++this.#depth > MAX_DEPTH) this.#fail("groups are nested too deeply");
		if (this.#text[this.#at] === "*") this.#fail("it has a verb");
		if (this.#take("?")) {
			const name = /^(?:P?<[A-Za-z_]\w*>|'[A-Za-z_]\w*')/.exec(this.#text.slice(this.#at, this.#at + 64))?.[0];
			if (name !== undefined) this.#at += name.length;
			else if (!this.#take(":")) this.#fail("it has an option, an assertion or a special group");
		}
		const inner = this.#choice();
		if (!this.#take(")")) this.#fail('"(" is not closed');
		this.#depth--;
		return inner;
	}

	#repeated(part: Pattern): Pattern {
		const c = this.#text[this.#at];
		const simple = c === "*" ? [0] : c === "+" ? [1] : c === "?" ? [0, 1] : undefined;
		const interval = simple === undefined && c === "{" ? this.#interval(this.#at) : undefined;
		const [least, most] = simple ?? interval?.counts ?? [];
		if (least === undefined) return part;
		if (part.kind === "start" || part.kind === "end") this.#fail("an anchor is repeated");
		this.#at += interval?.length ?? 1;
		if (this.#text[this.#at] === "+") this.#fail("a quantifier is possessive");
		this.#take("?");
		const next = this.#text[this.#at] ?? "";
		if ("*+?".includes(next) && next !== "") this.#fail("a quantifier is repeated");
		if (next === "{" && this.#interval(this.#at) !== undefined) this.#fail("a quantifier is repeated");
		return { kind: "repeat", part, least, most };
	}

	/** The counts that the brace at `at` begins; undefined where it is a brace. */
	#interval(at: number): { readonly counts: readonly [number, number?]; readonly length: number } | undefined {
		const end = this.#text.indexOf("}", at);
		if (end === -1 || end - at > MAX_INTERVAL_BYTES) return undefined;
		const whole = this.#text.slice(at, end + 1);
		const [least = "", most, ...rest] = whole.slice(1, -1).split(",");
		const isNumber = (text: string): boolean => /^\d+$/.test(text);
		if (rest.length > 0 || ![least, most ?? ""].every((text) => text.trim() === "" || isNumber(text.trim())))
			return undefined;
		if (!isNumber(least) || (most !== undefined && most !== "" && !isNumber(most))) {
			if (/\d/.test(whole)) this.#fail("versions of PCRE2 read this interval differently");
			return undefined;
		}
		const first = Number(least);
		const last = most === undefined ? first : most === "" ? undefined : Number(most);
		if (Math.max(first, last ?? 0) > MAX_REPEAT || first > (last ?? first))
			this.#fail(`${whole} is not a range of counts`);
		return { counts: last === undefined ? [first] : [first, last], length: whole.length };
	}

	/** Behind the backslash. */
	#escape(inClass: boolean): Uint8Array {
		const c = this.#text[this.#at++];
		if (c === undefined) return this.#fail("it ends in a backslash");
		const known = ESCAPED_CLASSES[c.toLowerCase()];
		if (known !== undefined) return matching(known, c !== c.toLowerCase());
		const plain = ESCAPED_BYTES[c] ?? (inClass && c === "b" ? 8 : undefined);
		if (plain !== undefined) return one(plain);
		if (c === "N" && !inClass && this.#text[this.#at] !== "{") return bytesWhere((code) => code !== 10);
		if (c === "x" || c === "0") return one(this.#number(c));
		if (/[A-Za-z1-9]/.test(c)) this.#fail(`it has \\${c}`, -2);
		return one(c.charCodeAt(0));
	}

	#number(kind: string): number {
		const text = this.#text.slice(this.#at, this.#at + 16);
		const form = kind === "0" ? /^[0-7]{0,2}/ : /^\{[0-9A-Fa-f]{1,2}\}|^[0-9A-Fa-f]{1,2}/;
		const digits = form.exec(text)?.[0];
		if (digits === undefined) return this.#fail(`it has \\${kind} without a number of one byte`);
		this.#at += digits.length;
		return Number.parseInt(digits.replace(/[{}]/g, "") || "0", kind === "0" ? 8 : 16);
	}

	/** Behind the bracket. */
	#class(): Uint8Array {
		const isNegated = this.#take("^");
		const members = new Uint8Array(256);
		for (let isFirst = true; ; isFirst = false) {
			const c = this.#text[this.#at];
			if (c === undefined) this.#fail('"[" is not closed');
			if (c === "]" && !isFirst) break;
			const first = this.#member();
			const isRange = this.#text[this.#at] === "-" && ![undefined, "]"].includes(this.#text[this.#at + 1]);
			if (!isRange) {
				for (let code = 0; code < 256; code++) members[code] = (members[code] ?? 0) | (first[code] ?? 0);
				continue;
			}
			this.#at++;
			const last = this.#member();
			const [low, high] = [single(first), single(last)];
			if (low === undefined || high === undefined || low > high) return this.#fail("a range in brackets has no order");
			members.fill(1, low, high + 1);
		}
		this.#at++;
		return isNegated ? members.map((is) => 1 - is) : members;
	}

	#member(): Uint8Array {
		const kind = this.#text[this.#at] === "[" ? (this.#text[this.#at + 1] ?? "") : "";
		const end = ":.=".includes(kind) && kind !== "" ? this.#text.indexOf(`${kind}]`, this.#at + 2) : -1;
		const inner = end === -1 ? "" : this.#text.slice(this.#at + 2, end);
		const isNegated = inner.startsWith("^");
		const name = isNegated ? inner.slice(1) : inner;
		if (/^[a-z.]{1,16}$/.test(name)) {
			const posix =
				name === "word" ? ESCAPED_CLASSES["w"] : Object.hasOwn(POSIX_CLASSES, name) ? POSIX_CLASSES[name] : undefined;
			if (kind !== ":" || posix === undefined) return this.#fail(`[${kind}${inner}${kind}] is not a class`);
			this.#at = end + 2;
			return matching(posix, isNegated);
		}
		const c = this.#text.charCodeAt(this.#at++);
		return c === 0x5c ? this.#escape(true) : one(c);
	}

	#take(character: string): boolean {
		const isThere = this.#text[this.#at] === character;
		if (isThere) this.#at++;
		return isThere;
	}

	#fail(why: string, offset = 0): never {
		throw new PatternFault(why, this.#at + offset);
	}
}

const SINGLE = Array.from({ length: 256 }, (_, code) => bytesWhere((other) => other === code));
const BYTE_PATTERNS = SINGLE.map((members): Pattern => ({ kind: "bytes", members }));

function one(code: number): Uint8Array {
	return SINGLE[code] ?? new Uint8Array(256);
}

function byte(code: number): Pattern {
	return BYTE_PATTERNS[code] ?? { kind: "bytes", members: one(code) };
}

function matching(expression: RegExp, isNegated: boolean): Uint8Array {
	return bytesWhere((code) => expression.test(String.fromCharCode(code)) !== isNegated);
}

/** The one member. */
function single(members: Uint8Array): number | undefined {
	const first = members.indexOf(1);
	return first >= 0 && members.lastIndexOf(1) === first ? first : undefined;
}
