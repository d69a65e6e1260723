import { printable, shortened } from "../binary/printable.ts";

/** HTML or SVG that may be put into a page as it is. */
export class Markup {
	readonly #text: string;

	/** Only for text of our own: `html` is what makes it of other people's. */
	constructor(text: string) {
		this.#text = text;
	}

	toString(): string {
		return this.#text;
	}
}

/** What a template takes; undefined and false are nothing. */
type Value = string | number | undefined | false | Markup | readonly (Markup | undefined | false)[];

/** Of one text; what is longer loses its middle. */
const MAX_TEXT_CHARACTERS = 1000;
/** Of one that is there to be copied. */
const MAX_CODE_CHARACTERS = 8000;
const ENTITIES: ReadonlyMap<string, string> = new Map([
	["&", "&amp;"],
	["<", "&lt;"],
	[">", "&gt;"],
	['"', "&quot;"],
	["'", "&#39;"],
]);

/** A template whose texts are escaped, for elements and for attributes, which are to be written with quotes; `printable` and bounded too. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Markup {
	return new Markup(parts.map((part, index) => part + markupOf(values[index])).join(""));
}

/** A line that is there to be copied, which may be longer than others. */
export function code(line: string): Markup {
	return new Markup(escapedText(line, MAX_CODE_CHARACTERS));
}

function escapedText(text: string, maxCharacters = MAX_TEXT_CHARACTERS): string {
	// the one to begin with keeps the work small, the other the result
	const shown = printable(shortened(text, maxCharacters));
	return escaped(printable(shortened(shown, maxCharacters)));
}

/** JSON over lines, for people and to be copied: what cannot be printed as itself has JSON's escapes. */
export function json(value: unknown): Markup {
	const text = JSON.stringify(value, undefined, 2).replace(/[^\n\P{C}]|[\p{Zl}\p{Zp}]/gu, (characters) =>
		Array.from({ length: characters.length }, (_, at) => characters.charCodeAt(at))
			.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`)
			.join(""),
	);
	return new Markup(escaped(text));
}

function markupOf(value: Value): string {
	if (value === undefined || value === false) return "";
	if (value instanceof Markup) return value.toString();
	if (typeof value === "object") return value.map(markupOf).join("");
	return escapedText(`${value}`);
}

function escaped(text: string): string {
	return text.replace(/[&<>"']/g, (character) => ENTITIES.get(character) ?? "");
}
