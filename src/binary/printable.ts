/**
 * What a terminal or a reader of a line would not see as itself: control characters (C0, DEL, C1), format characters (those that reorder or hide text:
 * bidirectional controls, joiners, tags), line and paragraph separators, and halves of surrogate pairs.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * Text from outside as part of one line for people, on every way to a terminal or a report in plain text: what cannot be printed as itself becomes `\xNN`
 * below U+0080 and `\u{NNNN}` above. What comes out comes out the same again, so that parts and the whole may both be passed through. JSON has its own escapes.
 */
export function printable(text: string): string {
	// A cut may leave half a character.
	return shortened(text.replace(UNPRINTABLE, escaped), MAX_LINE_CHARACTERS).replace(UNPRINTABLE, escaped);
}

/** Of one line. */
const MAX_LINE_CHARACTERS = 16_384;

/** Without its middle where it is longer than `maxCharacters`, which is never less than 100. */
export function shortened(text: string, maxCharacters: number): string {
	if (text.length <= maxCharacters) return text;
	const half = Math.floor(maxCharacters / 2) - 40;
	return `${text.slice(0, half)}[... ${text.length - 2 * half} characters ...]${text.slice(-half)}`;
}

function escaped(c: string): string {
	const code = c.codePointAt(0) ?? 0;
	const hex = code.toString(16);
	return code < 0x80 ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`;
}
