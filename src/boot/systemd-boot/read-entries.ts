import { type ByteString, compareByteStrings } from "../../binary/byte-string.ts";

/** An entry as systemd-boot takes it from a file in loader/entries. */
export interface LoaderEntry {
	/** The file's name. */
	readonly id: ByteString;
	readonly title: ByteString;
	readonly linux: ByteString | undefined;
	readonly initrds: readonly ByteString[];
	readonly devicetree: ByteString | undefined;
	readonly options: ByteString;
}

/** Boot Loader Specification, "Type #1 Boot Loader Specification Entries": a key and its value in a line; keys that may be repeated add up. A pair of double quotes around a whole value is taken away (systemd, boot.c, `line_get_key_value`). */
export function readLoaderEntry(id: ByteString, text: ByteString): LoaderEntry {
	const values = new Map<string, ByteString[]>();
	for (const line of text.split("\n")) {
		const trimmed = line.trim();
		const end = trimmed.search(/[ \t]/);
		if (end < 0 || trimmed.startsWith("#")) continue;
		const key = trimmed.slice(0, end);
		const value = trimmed.slice(end).trim();
		const isQuoted = value.startsWith('"') && value.endsWith('"');
		values.set(key, [...(values.get(key) ?? []), isQuoted ? value.slice(1, -1) : value]);
	}
	const last = (key: string): ByteString | undefined => values.get(key)?.at(-1);
	return {
		id,
		title: last("title") ?? id,
		linux: last("linux"),
		initrds: values.get("initrd") ?? [],
		devicetree: last("devicetree"),
		options: (values.get("options") ?? []).join(" "),
	};
}

/** Names of files in loader/entries that are entries. */
export function entryNamesIn(names: Iterable<ByteString>): ByteString[] {
	return [...names].filter((name) => /\.conf$/i.test(name)).sort(compareByteStrings);
}

/** The words of kernel arguments, which only double quotes hold together. */
export function optionWords(options: ByteString): ByteString[] {
	const words: ByteString[] = [];
	let word = "";
	let isQuoted = false;
	for (const c of options) {
		if (c === '"') isQuoted = !isQuoted;
		else if (isQuoted || (c !== " " && c !== "\t")) word += c;
		else if (word !== "") words.push(word);
		if (!isQuoted && (c === " " || c === "\t")) word = "";
	}
	return word === "" ? words : [...words, word];
}
