import { type ByteString, byteStringFromText } from "../../binary/byte-string.ts";
import { MiB } from "../../binary/units.ts";
import { NO_XATTRS } from "../../binary/xattrs.ts";
import type { TarEntry, TarEntryType } from "../../formats/tar/entry.ts";
import { linuxDeviceNumber, linuxId, MAJOR_BITS, MINOR_BITS } from "../../formats/tar/linux-numbers.ts";
import { decodeSchilyName } from "../../formats/tar/xattr-keyword.ts";
import { type Digest, isDigest } from "../digest.ts";
import { TocFault } from "./toc-fault.ts";

/** Where a regular file's content is in the blob, and how it is known to be right. */
export interface TocContent {
	/** Of the first byte of a compressed stream that the content is in. */
	readonly offset: number;
	/** Behind the last byte of the blob that the content may need. */
	readonly end: number;
	/** Bytes of the decompressed stream before the content. */
	readonly skippedBytes: number;
	/** Digests of the content's parts, in order and without gaps. */
	readonly parts: readonly { readonly byteLength: number; readonly digest: Digest }[];
}

/** A layer's archive as its table of contents has it. */
export interface TocListing {
	/** `index` is the position among them; `archiveOffset` is not known and 0. */
	readonly entries: readonly TarEntry[];
	/** By `index`, of regular files that are not empty. */
	readonly contents: ReadonlyMap<number, TocContent>;
}

const TYPES: ReadonlyMap<unknown, TarEntryType> = new Map<unknown, TarEntryType>([
	["reg", "file"],
	["dir", "directory"],
	["symlink", "symlink"],
	["hardlink", "hard-link"],
	["char", "character-device"],
	["block", "block-device"],
	["fifo", "fifo"],
]);
const COMMA = 0x2c;
const BRACE = 0x7b;
const BRACKET = 0x5b;
const MAX_OBJECTS = 2_000_000;
const MAX_VALUES = 16_000_000;
/** Of other files that share a compressed stream with one. */
const MAX_SKIPPED_BYTES = 64 * MiB;
/** Headers of compressed streams, and of the archive's next member. */
const MAX_OVERHEAD_BYTES = 4 * MiB;

type Fields = Readonly<Record<string, unknown>>;

interface OpenFile {
	readonly index: number;
	readonly fields: Fields;
	readonly chunks: Fields[];
}

/**
 * The `entries` of a table of contents: eStargz (containerd/stargz-snapshotter, docs/estargz.md, "TOC and TOCEntries"), and zstd:chunked, which has the
 * same fields and `endOffset`. Contents lie before `contentEnd` in the blob. Throws `TocFault` for one that contradicts itself, or does not say enough.
 */
export function parseToc(json: Uint8Array, contentEnd: number): TocListing {
	const document = parseObject(json);
	if (document["version"] !== 1) throw new TocFault(`it has version ${shown(document["version"])}, not 1`);
	const list = document["entries"];
	if (!Array.isArray(list)) throw new TocFault("it has no entries");
	const entries: TarEntry[] = [];
	const files: OpenFile[] = [];
	const offsets: number[] = [contentEnd];
	let file: OpenFile | undefined;
	for (const item of list) {
		if (typeof item !== "object" || item === null) throw new TocFault("an entry is no object");
		const fields = item as Fields;
		if (typeof fields["offset"] === "number" && fields["offset"] > 0) offsets.push(fields["offset"]);
		if (fields["type"] === "chunk") {
			if (file === undefined || fields["name"] !== file.fields["name"])
				throw new TocFault(`a chunk of ${shown(fields["name"])} does not follow its file`);
			file.chunks.push(fields);
			continue;
		}
		const entry = entryOf(fields, entries.length);
		file = entry.type === "file" && entry.byteLength > 0 ? { index: entry.index, fields, chunks: [fields] } : undefined;
		if (file !== undefined) files.push(file);
		entries.push(entry);
	}
	offsets.sort((a, b) => a - b);
	const contents = new Map(files.map((open) => [open.index, contentOf(open, offsets, contentEnd)]));
	return { entries, contents };
}

function parseObject(json: Uint8Array): Fields {
	requireModest(json);
	try {
		const document: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
		if (typeof document === "object" && document !== null) return document as Fields;
	} catch {
		// the same as another kind of document
	}
	throw new TocFault("it is no JSON object");
}

/** A document of few bytes can take a great deal of memory when it is parsed. */
function requireModest(json: Uint8Array): void {
	let values = 0;
	let objects = 0;
	for (const byte of json) {
		if (byte === COMMA) values++;
		else if (byte === BRACE || byte === BRACKET) objects++;
	}
	if (objects > MAX_OBJECTS || values > MAX_VALUES)
		throw new TocFault(`it has more than ${MAX_OBJECTS} objects or ${MAX_VALUES} values`);
}

function entryOf(fields: Fields, index: number): TarEntry {
	const type = TYPES.get(fields["type"]);
	const path = nameOf(fields, "name");
	if (type === undefined) throw new TocFault(`${shown(path)} has the type ${shown(fields["type"])}`);
	const isLink = type === "symlink" || type === "hard-link";
	const isDevice = type === "block-device" || type === "character-device";
	return {
		index,
		type,
		path,
		linkTarget: isLink ? nameOf(fields, "linkName") : "",
		mode: numberOf(fields, "mode") % 0o10000,
		uid: linuxId(integerOf(fields, "uid")).value,
		gid: linuxId(integerOf(fields, "gid")).value,
		byteLength: type === "file" ? numberOf(fields, "size") : 0,
		mtime: mtimeOf(fields["modtime"]),
		major: isDevice ? linuxDeviceNumber(integerOf(fields, "devMajor"), MAJOR_BITS).value : 0,
		minor: isDevice ? linuxDeviceNumber(integerOf(fields, "devMinor"), MINOR_BITS).value : 0,
		xattrs: xattrsOf(fields["xattrs"]),
		archiveOffset: 0,
	};
}

/** JSON has no names that are not UTF-8: writers put U+FFFD in their place, and such a table does not tell two of them apart. */
function nameOf(fields: Fields, key: "name" | "linkName"): ByteString {
	const name = fields[key];
	if (typeof name !== "string" || name === "") throw new TocFault(`an entry has no ${key}`);
	if (name.includes("\0") || /[\ufffd\p{Surrogate}]/u.test(name))
		throw new TocFault(`the name ${shown(name)} may not be the archive's`);
	return byteStringFromText(name);
}

function numberOf(fields: Fields, key: string, limit = Number.MAX_SAFE_INTEGER): number {
	const value = fields[key] ?? 0;
	if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= limit) return value;
	throw new TocFault(`${key} of ${shown(fields["name"])} is ${shown(value)}`);
}

/** Owners and device numbers are as the archive records them: of any size, and negative. */
function integerOf(fields: Fields, key: string): bigint {
	const value = fields[key] ?? 0;
	if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
	throw new TocFault(`${key} of ${shown(fields["name"])} is ${shown(value)}`);
}

function mtimeOf(text: unknown): TarEntry["mtime"] {
	const match =
		typeof text === "string" ? /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text) : null;
	const milliseconds = match === null ? 0 : Date.parse(`${match[1]}${match[3]}`);
	const nanoseconds = Number((match?.[2] ?? "").padEnd(9, "0"));
	return Number.isNaN(milliseconds) ? { seconds: 0, nanoseconds: 0 } : { seconds: milliseconds / 1000, nanoseconds };
}

function xattrsOf(value: unknown): ReadonlyMap<ByteString, Uint8Array> {
	if (value === undefined || value === null) return NO_XATTRS;
	if (typeof value !== "object") throw new TocFault("extended attributes are no object");
	return new Map(
		Object.entries(value).map(([name, text]) => {
			if (typeof text !== "string") throw new TocFault(`the extended attribute ${shown(name)} is no text`);
			return [decodeSchilyName(byteStringFromText(name)), Uint8Array.from(Buffer.from(text, "base64"))];
		}),
	);
}

/** `offsets` are those of all entries, sorted: where the next one begins, this one has ended. */
function contentOf({ fields, chunks }: OpenFile, offsets: readonly number[], contentEnd: number): TocContent {
	const name = shown(fields["name"]);
	const size = numberOf(fields, "size");
	const offset = numberOf(fields, "offset", contentEnd);
	const last = chunks.at(-1) ?? fields;
	const given = numberOf(fields, "endOffset", contentEnd);
	const end = given > 0 ? given : after(offsets, numberOf(last, "offset", contentEnd), contentEnd);
	const skippedBytes = numberOf(fields, "innerOffset", MAX_SKIPPED_BYTES);
	const mostBytes = ((skippedBytes + size) * 9) / 8 + MAX_OVERHEAD_BYTES;
	if (offset === 0 || end <= offset || end - offset > mostBytes)
		throw new TocFault(`the content of ${name} has no place in the blob, or an odd one`);
	return { offset, end, skippedBytes, parts: partsOf(name, size, fields, chunks) };
}

/** One digest of the whole, or one of each chunk. */
function partsOf(name: string, size: number, fields: Fields, chunks: readonly Fields[]): TocContent["parts"] {
	const whole = fields["digest"];
	if (typeof whole === "string" && isDigest(whole)) return [{ byteLength: size, digest: whole }];
	let at = 0;
	return chunks.map((chunk, index) => {
		const digest = chunk["chunkDigest"];
		if (typeof digest !== "string" || !isDigest(digest)) throw new TocFault(`the content of ${name} has no digest`);
		const isLast = index === chunks.length - 1;
		const byteLength = numberOf(chunk, "chunkSize", size) || (isLast ? size - at : 0);
		if (numberOf(chunk, "chunkOffset", size) !== at || byteLength === 0 || (isLast && at + byteLength !== size))
			throw new TocFault(`the chunks of ${name} do not make up its ${size} bytes`);
		at += byteLength;
		return { byteLength, digest };
	});
}

/** The first of the sorted numbers that is greater. */
function after(sorted: readonly number[], offset: number, otherwise: number): number {
	let low = 0;
	let high = sorted.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		if ((sorted[middle] ?? 0) > offset) high = middle;
		else low = middle + 1;
	}
	return Math.min(sorted[low] ?? otherwise, otherwise);
}

/** Objects and arrays are not looked into: they may be nested any number of levels deep. */
function shown(value: unknown): string {
	if (typeof value === "string") return JSON.stringify(value.slice(0, 100));
	if (value === undefined || value === null) return "nothing";
	return typeof value === "object" ? "an object" : String(value);
}
