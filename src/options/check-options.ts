import { Oci2isoError, type Problem } from "../errors.ts";
import { type Fields, isObject } from "./fields.ts";

const MAX_SHOWN_CHARACTERS = 64;

/**
 * Throws `Oci2isoError` INVALID_OPTION (exit 2) with every fault in `problems`, `where` being the property: one that is unknown, missing or not what its
 * field says. A property that is undefined is absent.
 */
export function checkOptions(given: unknown, fields: Fields, required: readonly string[]): void {
	if (!isObject(given)) {
		const expected = required.length === 0 ? "an object of options" : `an object with ${required.join(" and ")}`;
		throw invalidOptions([{ code: "INVALID_OPTION", what: `the options are ${shown(given)}`, expected }]);
	}
	const problems = [
		...Object.entries(given).flatMap(([name, value]) => {
			const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
			if (field === undefined) return [unknownOption(name, Object.keys(fields))];
			if (value === undefined || field.accepts(value)) return [];
			const { expected } = field;
			return [{ code: "INVALID_OPTION", what: `${shown(value, name)} is not accepted`, where: name, expected }];
		}),
		...required
			.filter((name) => given[name] === undefined)
			.map((name) => {
				const expected = fields[name]?.expected;
				return { code: "INVALID_OPTION", what: "a value is missing", where: name, expected };
			}),
	];
	if (problems.length > 0) throw invalidOptions(problems);
}

/** INVALID_OPTION (exit 2) with each of them, at least one, in `problems`. */
export function invalidOptions(problems: readonly Problem[]): Oci2isoError {
	const { what = "invalid options", where, expected, remedy } = problems[0] ?? {};
	return new Oci2isoError({ code: "INVALID_OPTION", kind: "usage", what, where, expected, remedy, problems });
}

function unknownOption(name: string, known: readonly string[]): Problem {
	const near = nearNames(name, known);
	const remedy = near.length === 0 ? `there are ${known.join(", ")}` : `did you mean ${near.join(" or ")}?`;
	const what = `there is no option ${JSON.stringify(name.slice(0, MAX_SHOWN_CHARACTERS))}`;
	return { code: "INVALID_OPTION", what, where: name.slice(0, MAX_SHOWN_CHARACTERS), remedy };
}

/** What was probably meant, of `known`. */
export function nearNames(name: string, known: readonly string[]): readonly string[] {
	return known.filter((other) => isNear(name.toLowerCase(), other.toLowerCase()));
}

/** A typing error apart, or the one a longer word for the other. */
function isNear(a: string, b: string): boolean {
	const [short, long] = a.length < b.length ? [a, b] : [b, a];
	if (short.length >= 3 && (long.startsWith(short) || long.endsWith(short))) return true;
	return long.length <= MAX_SHOWN_CHARACTERS && editDistance(a, b) <= (short.length < 5 ? 1 : 2);
}

function editDistance(a: string, b: string): number {
	let row = Array.from({ length: b.length + 1 }, (_, index) => index);
	for (const [i, letter] of [...a].entries()) {
		const next = [i + 1];
		for (const [j, other] of [...b].entries())
			next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (letter === other ? 0 : 1)));
		row = next;
	}
	return row[b.length] ?? 0;
}

/** Credentials are not for messages. */
function shown(value: unknown, name?: string): string {
	if (name === "creds") return "what was given";
	const hasObjects = Array.isArray(value) && value.some(isObject);
	const plain = isObject(value) ? "an object" : hasObjects ? `an array of ${value.length}` : String(value);
	const text = typeof value === "string" ? JSON.stringify(value) : plain;
	return text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text;
}
