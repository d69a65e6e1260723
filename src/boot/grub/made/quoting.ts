/** `text` as one GRUB word in single quotes: nothing in it has a meaning to GRUB (manual, "Quoting"). */
export function singleQuoted(text: string): string {
	return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * `text` as the arguments of one GRUB command, for text that was written as such: words stay words, and quotes and
 * backslashes keep their meaning, so that `systemd.run="a b"` is one argument. What would end the command, start another,
 * redirect, open a block, begin a comment or expand a variable (`; & | < > { } # $`) is escaped and stands for itself;
 * so is a quote or a backslash without its counterpart. Text without these comes back as it is.
 */
export function commandArguments(text: string): string {
	let out = "";
	let at = 0;
	while (at < text.length) {
		const c = text.charAt(at);
		const quotedEnd = c === "'" ? text.indexOf("'", at + 1) : c === '"' ? closingDoubleQuote(text, at + 1) : -1;
		if (quotedEnd >= 0) {
			const quoted = text.slice(at, quotedEnd + 1);
			out += c === "'" ? quoted : escapeDollars(quoted);
			at = quotedEnd + 1;
			continue;
		}
		if (c === "\\" && at + 1 < text.length) {
			out += text.slice(at, at + 2);
			at += 2;
			continue;
		}
		const startsWord = at === 0 || /\s/.test(text.charAt(at - 1));
		out += /[;&|<>{}$'"\\]/.test(c) || (c === "#" && startsWord) ? `\\${c}` : c;
		at++;
	}
	return out;
}

function closingDoubleQuote(text: string, from: number): number {
	for (let at = from; at < text.length; at++) {
		if (text[at] === '"') return at;
		if (text[at] === "\\") at++;
	}
	return -1;
}

function escapeDollars(quoted: string): string {
	return quoted.replace(/\\.|\$/gs, (match) => (match === "$" ? "\\$" : match));
}
