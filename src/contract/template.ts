/**
 * Replaces `$name` and `${name}` by `values`, and `$$` by `$`. Names are ASCII letters, digits and `_`; what is not in
 * `values`, and any other `$`, stays as it is. What is put in is not looked at again. Undefined where the result has more than `maxCharacters`.
 */
export function substitute(
	text: string,
	values: ReadonlyMap<string, string>,
	maxCharacters: number,
): string | undefined {
	let characters = text.length;
	const result = text.replace(
		/\$(?:(\$)|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})/g,
		(whole, dollar: string | undefined, plain: string | undefined, braced: string | undefined) => {
			const value = dollar ?? values.get(plain ?? braced ?? "") ?? whole;
			characters += value.length - whole.length;
			return characters > maxCharacters ? "" : value;
		},
	);
	return characters > maxCharacters ? undefined : result;
}

/** The variables that `text` names, in order of appearance. */
export function variablesIn(text: string): string[] {
	const names: string[] = [];
	for (const match of text.matchAll(/\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})/g)) {
		const name = match[1] ?? match[2];
		if (name !== undefined) names.push(name);
	}
	return names;
}
