/** The text without the characters at its end that are among `characters`; linear, as a search for them with `$` behind is not. */
export function withoutTrailing(text: string, characters: string): string {
	let end = text.length;
	while (end > 0 && characters.includes(text.charAt(end - 1))) end--;
	return text.slice(0, end);
}
