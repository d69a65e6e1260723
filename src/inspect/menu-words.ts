/**
 * The words that GRUB makes of a command's arguments (GRUB manual, "Quoting"): quotes are taken off, a backslash gives the next character.
 */
export function grubWords(text: string): string[] {
	const words: string[] = [];
	let word: string | undefined;
	let quote = "";
	for (let at = 0; at < text.length; at++) {
		const c = text.charAt(at);
		if (quote === "'") {
			if (c === "'") quote = "";
			else word = (word ?? "") + c;
		} else if (c === "\\" && at + 1 < text.length) {
			const next = text.charAt(++at);
			word = (word ?? "") + (quote === '"' && !/["$\\]/.test(next) ? `\\${next}` : next);
		} else if (quote === '"') {
			if (c === '"') quote = "";
			else word = (word ?? "") + c;
		} else if (c === "'" || c === '"') {
			quote = c;
			word ??= "";
		} else if (/\s/.test(c)) {
			if (word !== undefined) words.push(word);
			word = undefined;
		} else word = (word ?? "") + c;
	}
	if (word !== undefined) words.push(word);
	return words;
}

/** The last value of a kernel argument, "" where it has none, undefined where it is not there. */
export function argumentValue(args: readonly string[], name: string): string | undefined {
	const found = args.findLast((argument) => argument === name || argument.startsWith(`${name}=`));
	return found === undefined ? undefined : found.slice(name.length + 1);
}

/** dracut's getargbool: set, and not to one of the words for no. */
export function isArgumentSet(args: readonly string[], name: string): boolean {
	const value = argumentValue(args, name);
	return value !== undefined && !/^(0|no|off)$/.test(value);
}
