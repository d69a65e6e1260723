import type * as z from "zod";

/** Objects whose keys are the author's: a key of one is content. */
const MAPS = new Set<PropertyKey>(["annotations", "Labels"]);

const TYPES: ReadonlyMap<string, string> = new Map([
	["string", "a text"],
	["number", "a number"],
	["int", "a whole number"],
	["boolean", "true or false"],
	["array", "a list"],
	["object", "an object"],
	["record", "an object"],
]);

/** The first fault that a schema found, without a word of the schema library or of what was checked. */
interface SchemaIssue {
	/** For example `.layers[3].digest`; empty for the document itself. */
	readonly field: string;
	readonly expected: string;
}

export function describeIssue({ issues }: Pick<z.ZodError, "issues">): SchemaIssue {
	const [issue] = issues;
	if (issue === undefined) return { field: "", expected: "another document" };
	const map = issue.path.findIndex((key) => MAPS.has(key));
	const path = map < 0 ? issue.path : issue.path.slice(0, map + 1);
	const field = path.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("");
	return { field, expected: map >= 0 && map + 1 < issue.path.length ? "an object of texts" : expectedOf(issue) };
}

function expectedOf(issue: z.core.$ZodIssue): string {
	switch (issue.code) {
		case "invalid_type":
			return TYPES.get(issue.expected) ?? "another value";
		case "invalid_value":
			return `one of ${issue.values.map(String).join(", ")}`;
		case "too_small":
			return issue.origin === "string" ? "a text that is not empty" : `at least ${issue.minimum}`;
		case "too_big":
			return `at most ${issue.maximum}`;
		// the schemas here give these their messages
		case "custom":
		case "invalid_format":
			return issue.message;
		default:
			return "another value";
	}
}
