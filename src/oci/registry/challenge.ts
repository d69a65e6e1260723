/** One challenge of a `WWW-Authenticate` header (RFC 9110 11.6.1); scheme and parameter names in lower case. */
export interface Challenge {
	readonly scheme: string;
	readonly parameters: ReadonlyMap<string, string>;
}

const MAX_HEADER_LENGTH = 16 * 1024;

/** All challenges of a header, in order. What cannot be understood is left out. */
export function parseChallenges(header: string): Challenge[] {
	const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
	const text = header.slice(0, MAX_HEADER_LENGTH);
	const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
	const parameter = /[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~0-9A-Za-z:/?@-]+))/y;
	for (let at = 0; at < text.length; ) {
		token.lastIndex = at;
		const [name] = token.exec(text) ?? [];
		if (name === undefined) {
			at++;
			continue;
		}
		parameter.lastIndex = token.lastIndex;
		const match = parameter.exec(text);
		if (match === null) {
			challenges.push({ scheme: name.toLowerCase(), parameters: new Map() });
			at = token.lastIndex;
			continue;
		}
		const [, quoted, plain] = match;
		challenges.at(-1)?.parameters.set(name.toLowerCase(), plain ?? quoted?.replace(/\\(.)/g, "$1") ?? "");
		at = parameter.lastIndex;
	}
	return challenges;
}
