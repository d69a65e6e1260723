import { type ByteString, byteStringFromText } from "../binary/byte-string.ts";
import { POSIX_CLASSES } from "../binary/posix-classes.ts";
import { Oci2isoError } from "../errors.ts";

/** Largest count of an interval (RE_DUP_MAX of glibc). */
const MAX_REPEAT = 0x7fff;

/** What glibc gives a meaning after a backslash, beside the literal characters. */
const ESCAPES: Readonly<Record<string, string>> = {
	w: "[A-Za-z0-9_]",
	W: "[^A-Za-z0-9_]",
	s: "[ \\t-\\r]",
	S: "[^ \\t-\\r]",
};

/** Those that match a place, which cannot be repeated. */
const PLACES: Readonly<Record<string, string>> = {
	b: "\\b",
	B: "\\B",
	"<": "\\b(?=[A-Za-z0-9_])",
	">": "\\b(?<=[A-Za-z0-9_])",
	"`": "^",
	"'": "$",
};

/**
 * A POSIX extended regular expression as glibc's `regcomp(REG_EXTENDED)` reads it in the C locale, for byte strings; matches anywhere.
 * Throws `Oci2isoError` INVALID_PATTERN (usage), also for back-references.
 */
export function compilePosixExtended(pattern: string): RegExp {
	const translator = new Translator(byteStringFromText(pattern), pattern);
	return new RegExp(translator.translate(), "s");
}

class Translator {
	readonly #bytes: ByteString;
	readonly #pattern: string;
	#at = 0;
	#depth = 0;

	constructor(bytes: ByteString, pattern: string) {
		this.#bytes = bytes;
		this.#pattern = pattern;
	}

	translate(): string {
		return this.#alternatives();
	}

	#alternatives(): string {
		let out = "";
		for (;;) {
			const c = this.#bytes[this.#at];
			if (c === undefined || (c === ")" && this.#depth > 0)) return out;
			this.#at++;
			if (c === "|") out += "|";
			else if (c === "^" || c === "$") out += c;
			else if (c === "\\" && PLACES[this.#bytes[this.#at] ?? ""] !== undefined)
				out += PLACES[this.#bytes[this.#at++] ?? ""];
			else out += this.#repeated(this.#atom(c));
		}
	}

	#atom(c: string): string {
		switch (c) {
			case "*":
			case "+":
			case "?":
			case "{":
				throw this.#invalid(`"${c}" has nothing to repeat`);
			case ".":
				return ".";
			case "(":
				return this.#group();
			case "[":
				return this.#bracket();
			case "\\":
				return this.#escape();
			default:
				return literal(c);
		}
	}

	#group(): string {
		this.#depth++;
		const inner = this.#alternatives();
		if (this.#bytes[this.#at] !== ")") throw this.#invalid('"(" is not closed');
		this.#at++;
		this.#depth--;
		return `(?:${inner})`;
	}

	#escape(): string {
		const c = this.#bytes[this.#at++];
		if (c === undefined) throw this.#invalid("it ends in a backslash");
		if (/[1-9]/.test(c)) throw this.#invalid(`it has the back-reference \\${c}`);
		return ESCAPES[c] ?? literal(c);
	}

	#repeated(atom: string): string {
		let out = atom;
		for (;;) {
			const c = this.#bytes[this.#at];
			if (c === "*" || c === "+" || c === "?") out = `(?:${out}${c})`;
			else if (c === "{") out = `(?:${out}${this.#interval()})`;
			else return out;
			this.#at++;
		}
	}

	/** Leaves the position at the closing brace. */
	#interval(): string {
		const [text, min = "", comma, max = ""] = /^\{(\d*)(,?)(\d*)\}/.exec(this.#bytes.slice(this.#at)) ?? [];
		if (text === undefined || (min === "" && comma === "")) throw this.#invalid('"{" does not begin an interval');
		const least = Number(min);
		const most = comma === "" ? least : max === "" ? undefined : Number(max);
		if (Math.max(least, most ?? 0) > MAX_REPEAT || least > (most ?? least))
			throw this.#invalid(`${text} is not a range of counts to ${MAX_REPEAT}`);
		this.#at += text.length - 1;
		return `{${least},${most ?? ""}}`;
	}

	#bracket(): string {
		const members = new Set<number>();
		const negated = this.#bytes[this.#at] === "^";
		if (negated) this.#at++;
		for (let first = true; ; first = false) {
			if (this.#bytes[this.#at] === undefined) throw this.#invalid('"[" is not closed');
			if (this.#bytes[this.#at] === "]" && !first) break;
			const start = this.#bracketMember(members);
			if (start === undefined || !this.#isRange()) continue;
			this.#at++;
			const end = this.#bracketMember(members);
			if (end === undefined || end < start) throw this.#invalid("a range in brackets is backwards");
			for (let c = start; c <= end; c++) members.add(c);
		}
		this.#at++;
		return `[${negated ? "^" : ""}${[...members].map((c) => literal(String.fromCharCode(c))).join("")}]`;
	}

	#isRange(): boolean {
		return this.#bytes[this.#at] === "-" && ![undefined, "]"].includes(this.#bytes[this.#at + 1]);
	}

	/** Adds one element; returns its byte, or undefined for a class. */
	#bracketMember(members: Set<number>): number | undefined {
		const [text, kind, name] = /^\[([:.=])(.*?)\1\]/s.exec(this.#bytes.slice(this.#at)) ?? [];
		if (text === undefined || name === undefined) {
			const c = this.#bytes.charCodeAt(this.#at++);
			members.add(c);
			return c;
		}
		this.#at += text.length;
		if (kind !== ":") {
			if (name.length !== 1) throw this.#invalid(`${text} is not one character`);
			members.add(name.charCodeAt(0));
			return kind === "." ? name.charCodeAt(0) : undefined;
		}
		const members256 = POSIX_CLASSES[name];
		if (members256 === undefined) throw this.#invalid(`${text} is not a class`);
		for (let c = 0; c < 256; c++) if (members256.test(String.fromCharCode(c))) members.add(c);
		return undefined;
	}

	#invalid(why: string): Oci2isoError {
		return new Oci2isoError({
			code: "INVALID_PATTERN",
			kind: "usage",
			what: `"${this.#pattern}" is not a POSIX extended regular expression: ${why}`,
			where: `character ${this.#at}`,
		});
	}
}

function literal(c: string): string {
	return /[A-Za-z0-9]/.test(c) ? c : `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
