import type { ByteString } from "../binary/byte-string.ts";
import { fieldsOf, invalidPolicy } from "./specifications.ts";

/** libselinux reads lines into a buffer of 1024 bytes, and longer ones as several. */
const MAX_LINE_BYTES = 1022;

/** Paths below `from` are labelled as if they were below `to`. */
export interface Substitution {
	readonly from: ByteString;
	readonly to: ByteString;
}

/** A file of substitutions, in its order. Throws `Oci2isoError` SELINUX_POLICY_INVALID (exit 5) with file and line. */
export function parseSubstitutions(text: ByteString, file: string): Substitution[] {
	return text.split("\n").flatMap((line, index) => {
		if (line.length > MAX_LINE_BYTES) throw invalidPolicy("it is too long", file, index + 1);
		const [from, to] = fieldsOf(line);
		return from === undefined || to === undefined || from.startsWith("#") ? [] : [{ from, to }];
	});
}

/** `path` by the first substitution that applies; undefined where none does. */
export function substituted(substitutions: readonly Substitution[], path: ByteString): ByteString | undefined {
	for (const { from, to } of substitutions) {
		if (!path.startsWith(from)) continue;
		const next = path[from.length];
		if (next === "/") return to + path.slice(from.length + (to === "/" ? 1 : 0));
		if (next === undefined) return to;
	}
	return undefined;
}
