import type { ByteString } from "../binary/byte-string.ts";

const META = ".^$?*+|[({";
/** What libselinux 3.8 and later take the backslash away from. */
const ESCAPABLE = ".^$?*+|[({])}-_,";

/** The one string that a pattern of plain characters stands for, as libselinux 3.8 and later see it; undefined where it is more than that. */
export function literalOf(pattern: ByteString): ByteString | undefined {
	let literal = "";
	for (let at = 0; at < pattern.length; at++) {
		let character = pattern.charAt(at);
		if (`${META}])}`.includes(character)) return undefined;
		if (character === "\\") {
			character = pattern.charAt(++at);
			if (character === "" || !ESCAPABLE.includes(character)) return undefined;
		}
		literal += character;
	}
	return literal;
}

/** Whether libselinux before 3.8 sees a meta character in it. */
export function hasMetaCharacters(pattern: ByteString): boolean {
	for (let at = 0; at < pattern.length; at++) {
		const character = pattern.charAt(at);
		if (META.includes(character)) return true;
		if (character === "\\") at++;
	}
	return false;
}
