/**
 * Whether a regular expression takes time in proportion to the text, whatever the text is, as V8's backtracking engine does it. Says "no" of many that would;
 * what it calls linear is so:
 *
 * - no repetition without a bound holds another one;
 * - behind a repetition without a bound comes, before any other that could take the same characters, a character that it cannot take;
 * - where something behind such a repetition can fail, the search does not begin anew inside of it: the expression is anchored at the start or sticky,
 *   or the repetition follows, in the same few characters, one that it cannot take itself.
 */
export function whyNotLinear(source: string, flags: string): string | undefined {
	let paths: readonly Item[][];
	try {
		paths = new Parser(source, flags).parse();
	} catch (error) {
		if (error instanceof NotUnderstood) return error.message;
		throw error;
	}
	for (const path of paths) {
		const reason = whyPathNotLinear(path, flags);
		if (reason !== undefined) return reason;
	}
	return undefined;
}

class NotUnderstood extends Error {}

/** One character, or a place in the text. */
interface Item {
	readonly text: string;
	/** Which of `SAMPLES` it takes; undefined for an assertion. */
	readonly set: readonly boolean[] | undefined;
	readonly isOptional: boolean;
	readonly isUnbounded: boolean;
}

const SAMPLES = [
	...Array.from({ length: 0x180 }, (_, code) => String.fromCharCode(code)),
	...["\u2028", "\u3000", "\ufeff", "\ufffd", "\u{1f600}"],
];
const MAX_PATHS = 4000;
/** Beyond this, a bound is none. */
const MAX_COUNT = 256;

function whyPathNotLinear(path: readonly Item[], flags: string): string | undefined {
	const isAnchored = flags.includes("y") || (path[0]?.text === "^" && !flags.includes("m"));
	for (const [index, item] of path.entries()) {
		if (!item.isUnbounded) continue;
		const rest = path.slice(index + 1);
		if (!rest.some(({ isOptional }) => !isOptional)) continue;
		// What comes before it and takes as many characters as it is long: one that the repetition cannot take is found nowhere inside of it.
		const before = path.slice(path.slice(0, index).findLastIndex(({ isUnbounded }) => isUnbounded) + 1, index);
		const isFenced = before.some((other) => other.set !== undefined && !other.isOptional && !overlap(other, item));
		if (!isAnchored && !isFenced) return `a search begins anew at every character of ${item.text}`;
		const next = rest.find(
			(other) => other.set !== undefined && (overlap(item, other) ? other.isUnbounded : !other.isOptional),
		);
		if (next !== undefined && overlap(item, next))
			return `${item.text} and ${next.text} can share their characters in many ways`;
	}
	return undefined;
}

function overlap(a: Item, b: Item): boolean {
	return a.set?.some((takes, i) => takes && b.set?.[i] === true) ?? false;
}

/** Makes the sequences that an expression stands for, groups without a bound on their number excepted. */
class Parser {
	readonly #source: string;
	readonly #flags: string;
	#at = 0;

	constructor(source: string, flags: string) {
		this.#source = source;
		this.#flags = flags.replace(/[dgmy]/g, "");
	}

	parse(): readonly Item[][] {
		const paths = this.#alternatives();
		if (this.#at < this.#source.length) throw new NotUnderstood(`what is at ${this.#at}`);
		return paths;
	}

	#alternatives(): Item[][] {
		const paths: Item[][] = [...this.#sequence()];
		while (this.#source[this.#at] === "|") {
			this.#at++;
			paths.push(...this.#sequence());
		}
		if (paths.length > MAX_PATHS) throw new NotUnderstood("it has too many alternatives");
		return paths;
	}

	#sequence(): Item[][] {
		let paths: Item[][] = [[]];
		while (this.#at < this.#source.length && !")|".includes(this.#source.charAt(this.#at))) {
			const next = this.#quantified();
			paths = paths.flatMap((path) => next.map((items) => [...path, ...items]));
			if (paths.length > MAX_PATHS) throw new NotUnderstood("it has too many alternatives");
		}
		return paths;
	}

	#quantified(): Item[][] {
		const c = this.#source.charAt(this.#at);
		const rest = this.#source.slice(this.#at);
		const assertion = /^(?:\^|\$|\\[bB])/.exec(rest)?.[0];
		if (assertion !== undefined) {
			this.#at += assertion.length;
			return [[{ text: assertion, set: undefined, isOptional: false, isUnbounded: false }]];
		}
		if (c === "(") return this.#group();
		const atom =
			/^(?:\[(?:\\.|[^\]\\])*\]|\\[pP]\{[^}]*\}|\\u\{[^}]*\}|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\[^1-9k]|[^\\[(])/su.exec(
				rest,
			)?.[0];
		if (atom === undefined) throw new NotUnderstood(`what is at ${this.#at}`);
		this.#at += atom.length;
		const { min, max } = this.#quantifier();
		const one = new RegExp(`^(?:${atom})$`, this.#flags);
		const set = SAMPLES.map((sample) => one.test(sample));
		const text = this.#source.slice(this.#source.length - rest.length, this.#at);
		return [[{ text, set, isOptional: min === 0, isUnbounded: max > MAX_COUNT }]];
	}

	#group(): Item[][] {
		const start = this.#at;
		const head = /^\((?:\?(?::|<[A-Za-z]\w*>|<?=|<?!))?/.exec(this.#source.slice(this.#at))?.[0] ?? "";
		this.#at += head.length;
		const inside = this.#alternatives();
		if (this.#source[this.#at] !== ")") throw new NotUnderstood("a group has no end");
		this.#at++;
		const { min, max } = this.#quantifier();
		const text = this.#source.slice(start, this.#at);
		if (/[=!]$/.test(head)) {
			if (inside.some((path) => path.some(({ isUnbounded }) => isUnbounded)))
				throw new NotUnderstood(`${text} repeats without a bound`);
			return [[{ text, set: undefined, isOptional: false, isUnbounded: false }]];
		}
		if (max > 1) {
			if (inside.some((path) => path.some(({ isUnbounded }) => isUnbounded)))
				throw new NotUnderstood(`${text} repeats what repeats without a bound`);
			if (max > MAX_COUNT) {
				// One character each time is as good as a class.
				if (!inside.every(([item, ...more]) => item?.set !== undefined && !item.isOptional && more.length === 0))
					throw new NotUnderstood(`${text} repeats a group without a bound`);
				const sets = inside.map(([item]) => item?.set ?? []);
				if (
					sets.some((set, i) => sets.slice(i + 1).some((other) => other.some((takes, k) => takes && set[k] === true)))
				)
					throw new NotUnderstood(`${text} can take a character in two ways`);
				const set = SAMPLES.map((_, k) => sets.some((one) => one[k] === true));
				return [[{ text, set, isOptional: min === 0, isUnbounded: true }]];
			}
		}
		return min === 0 ? [...inside, []] : inside;
	}

	#quantifier(): { readonly min: number; readonly max: number } {
		const text = /^(?:[*+?]|\{\d+(?:,\d*)?\})\??/.exec(this.#source.slice(this.#at))?.[0] ?? "";
		this.#at += text.length;
		if (text.startsWith("*")) return { min: 0, max: Number.POSITIVE_INFINITY };
		if (text.startsWith("+")) return { min: 1, max: Number.POSITIVE_INFINITY };
		if (text.startsWith("?")) return { min: 0, max: 1 };
		const [, least = "1", comma, most = ""] = /^\{(\d+)(,?)(\d*)\}/.exec(text) ?? [];
		const min = Number(least);
		return { min, max: comma === "," ? (most === "" ? Number.POSITIVE_INFINITY : Number(most)) : min };
	}
}
