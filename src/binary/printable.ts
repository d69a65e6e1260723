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
	return text.replace(UNPRINTABLE, escaped);
}

function escaped(c: string): string {
	const code = c.codePointAt(0) ?? 0;
	const hex = code.toString(16);
	return code < 0x80 ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`;
}
