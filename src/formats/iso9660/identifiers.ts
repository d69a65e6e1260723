import { type ByteString, bytesOf } from "../../binary/byte-string.ts";
import { assert } from "../../errors.ts";

/** How one kind of directory tree names its entries. */
export interface NamingScheme {
	/** Characters of an identifier, dot included, version not. */
	readonly maxCharacters: number;
	/** The identifier before collisions are resolved. */
	identifierOf(name: ByteString, type: "directory" | "other"): string;
	/** The identifier's bytes in a directory record. */
	encode(identifier: string, type: "directory" | "other"): Buffer;
}

/**
 * ECMA-119 level 3 identifiers: upper-case d-characters, at most one dot, at most 31 characters; files always have the dot and
 * a version. A long name keeps at least three characters of its extension.
 */
export const primaryNaming: NamingScheme = {
	maxCharacters: 31,
	identifierOf(name, type) {
		const characters = decodeLeniently(name, (c) => (/^[A-Za-z0-9_.]$/.test(c) ? c.toUpperCase() : "_"));
		const dot = extensionDot(characters);
		if (dot === -1) return characters.replaceAll(".", "_").slice(0, 30) + (type === "other" ? "." : "");
		const [stem, extension] = shorten(characters, dot, this.maxCharacters);
		return `${stem.replaceAll(".", "_")}.${extension}`;
	},
	encode: (identifier, type) => Buffer.from(type === "other" ? `${identifier};1` : identifier, "latin1"),
};

/** Joliet: UCS-2 without control characters and the six that it forbids, at most 64 characters; xorriso does not count the dot. */
export const jolietNaming: NamingScheme = {
	maxCharacters: 64,
	identifierOf(name) {
		const characters = decodeLeniently(name, (c) =>
			c.length > 1 || c.charCodeAt(0) < 0x20 || "*/:;?\\".includes(c) ? "_" : c,
		);
		const dot = extensionDot(characters);
		if (dot === -1) return characters.slice(0, this.maxCharacters);
		const [stem, extension] = shorten(characters, dot, this.maxCharacters);
		return `${stem}.${extension}`;
	},
	encode: (identifier) => Buffer.from(identifier, "utf16le").swap16(),
};

interface NamedEntry {
	readonly name: ByteString;
	readonly type: "directory" | "other";
}

/**
 * Identifiers of one directory's entries, each unlike the others. `entries` are in byte order of their names. Where several
 * names give one identifier, all of them get a number before the dot.
 */
export function assignIdentifiers(entries: readonly NamedEntry[], scheme: NamingScheme): string[] {
	const wanted = entries.map((entry) => scheme.identifierOf(entry.name, entry.type));
	const taken = new Set(wanted);
	const groups = new Map<string, number[]>();
	for (const [i, identifier] of wanted.entries()) {
		const group = groups.get(identifier);
		if (group === undefined) groups.set(identifier, [i]);
		else group.push(i);
	}
	const assigned = [...wanted];
	for (const [identifier, group] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1))) {
		if (group.length === 1) continue;
		const numbered = numberGroup(identifier, group.length, taken, scheme.maxCharacters);
		for (const [k, i] of group.entries()) assigned[i] = numbered[k] ?? identifier;
		for (const each of numbered) taken.add(each);
	}
	return assigned;
}

/** `count` identifiers made of `identifier` and a number of 1, 3 or 10 digits (as xorriso), none of them in `taken`. */
function numberGroup(identifier: string, count: number, taken: ReadonlySet<string>, maxCharacters: number): string[] {
	for (const digits of [1, 3, 10]) {
		const [stem, tail] = roomForDigits(identifier, digits, maxCharacters);
		const found: string[] = [];
		for (let number = 0; number < 10 ** digits && found.length < count; number++) {
			const candidate = `${stem}${String(number).padStart(digits, "0")}${tail}`;
			if (!taken.has(candidate)) found.push(candidate);
		}
		if (found.length === count) return found;
	}
	assert(false, "more than ten thousand million names with one identifier");
}

function roomForDigits(identifier: string, digits: number, maxCharacters: number): [stem: string, tail: string] {
	const dot = identifier.lastIndexOf(".");
	if (dot === -1) return [identifier.slice(0, maxCharacters - digits), ""];
	const extension = identifier.slice(dot + 1);
	const room = maxCharacters - 1 - digits - extension.length;
	if (room > 0) return [identifier.slice(0, Math.min(dot, room)), identifier.slice(dot)];
	return [identifier.slice(0, Math.min(dot, 1)), `.${extension.slice(0, maxCharacters - 2 - digits)}`];
}

/** Where the extension's dot is: a last dot with something after it. -1 without one. */
function extensionDot(name: string): number {
	const dot = name.lastIndexOf(".");
	return dot === name.length - 1 ? -1 : dot;
}

function shorten(name: string, dot: number, maxCharacters: number): [stem: string, extension: string] {
	const extension = name.slice(dot + 1);
	const stemLength = name.length > maxCharacters ? maxCharacters - 1 - Math.min(3, extension.length) : dot;
	const stem = name.slice(0, Math.min(dot, stemLength));
	return [stem, extension.slice(0, maxCharacters - 1 - stem.length)];
}

/** Maps each character of the name's UTF-8; a byte that is not part of UTF-8 becomes "_". */
function decodeLeniently(name: ByteString, map: (character: string) => string): string {
	const bytes = bytesOf(name);
	const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
	let result = "";
	for (let at = 0; at < bytes.byteLength; ) {
		const length = sequenceLength(bytes[at] ?? 0);
		let character: string | undefined;
		try {
			if (length > 0) character = decoder.decode(bytes.subarray(at, at + length));
		} catch {
			character = undefined;
		}
		result += character === undefined ? "_" : map(character);
		at += character === undefined ? 1 : length;
	}
	return result;
}

/** Bytes of the UTF-8 sequence that starts with `lead`; 0 when none does. */
function sequenceLength(lead: number): number {
	if (lead < 0x80) return 1;
	if (lead < 0xc2) return 0;
	if (lead < 0xe0) return 2;
	if (lead < 0xf0) return 3;
	return lead < 0xf5 ? 4 : 0;
}
