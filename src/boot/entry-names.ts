const MAX_NAMED = 3;
const MAX_NAME_CHARACTERS = 100;

/** For people, before a verb in the singular: `menu entry "a"`, `each of 5 menu entries ("a", "b", "c" and 2 more)`. */
export function entryNames(names: readonly string[]): string {
	const shown = names.slice(0, MAX_NAMED).map((name) => JSON.stringify(name.slice(0, MAX_NAME_CHARACTERS)));
	if (names.length === 1) return `menu entry ${shown[0]}`;
	const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : "";
	return `each of ${names.length} menu entries (${shown.join(", ")}${more})`;
}
