/** Lines between two steps. */
const LINES_PER_STEP = 512;

/**
 * Paragraphs of `NAME:VALUE` lines with empty lines between them, as dpkg and apk have them: of the names that are asked for, the first value of each, without
 * spaces around it. Lines that continue one are not read. Yields undefined every few lines.
 */
export function* readStanzas(
	text: string,
	wanted: ReadonlySet<string>,
): Generator<ReadonlyMap<string, string> | undefined, void, undefined> {
	let stanza = new Map<string, string>();
	let lines = 0;
	for (let at = 0; at < text.length; ) {
		const newline = text.indexOf("\n", at);
		const end = newline < 0 ? text.length : newline;
		if (end === at && stanza.size > 0) {
			yield stanza;
			stanza = new Map();
		}
		const colon = text.indexOf(":", at);
		if (colon > at && colon < end) {
			const name = text.slice(at, colon);
			if (wanted.has(name) && !stanza.has(name)) stanza.set(name, text.slice(colon + 1, end).trim());
		}
		at = end + 1;
		if (++lines % LINES_PER_STEP === 0) yield undefined;
	}
	if (stanza.size > 0) yield stanza;
}
