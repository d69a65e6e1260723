import { type ByteString, byteStringFromText, byteStringOf } from "../../binary/byte-string.ts";
import { MiB } from "../../binary/units.ts";
import { corrupt, type Oci2isoError } from "../../errors.ts";
import { gunzip } from "../gunzip.ts";

/** What an archive is made of, in order: its own bytes, and the contents of files that lie beside it. */
export type TarSplitEntry =
	| { readonly kind: "bytes"; readonly base64: string; readonly byteLength: number }
	| {
			readonly kind: "file";
			/** As the archive has it. */
			readonly path: ByteString;
			/** At least one. */
			readonly byteLength: number;
			/** CRC-64 (ISO) of its content, 8 bytes in base64. */
			readonly checksum: string;
	  };

/** Of one line: a header of the archive with all that belongs to it, in base64. */
const MAX_LINE_BYTES = 16 * MiB;
/** A member takes a header of 512 bytes in the archive, and its line less than 4 KiB. */
const MAX_EXPANSION = 8;

/**
 * Reads what github.com/vbatts/tar-split writes: gzip, one JSON object a line. Entries come as many at once as were inflated; files without content are left out.
 * Throws `Oci2isoError` STORE_INVALID, LAYER_TRUNCATED or LAYER_COMPRESSION_BROKEN (exit 5); `where` is for these.
 */
export async function* readTarSplit(
	compressed: AsyncIterable<Uint8Array>,
	where: string,
): AsyncGenerator<readonly TarSplitEntry[], void, undefined> {
	let rest: Uint8Array = new Uint8Array();
	let jsonBytes = 0;
	let archiveBytes = 0;
	for await (const chunk of gunzip(compressed, where)) {
		jsonBytes += chunk.byteLength;
		const end = chunk.lastIndexOf(0x0a) + 1;
		if (end === 0) {
			if (rest.byteLength + chunk.byteLength > MAX_LINE_BYTES) throw invalid("a line is too long", where);
			rest = Buffer.concat([rest, chunk]);
			continue;
		}
		const lines = Buffer.concat([rest, chunk.subarray(0, end)]).toString("utf8");
		rest = Buffer.from(chunk.subarray(end));
		const entries = entriesOf(lines, where);
		archiveBytes = entries.reduce((sum, { byteLength }) => sum + byteLength, archiveBytes);
		if (jsonBytes > MAX_LINE_BYTES + MAX_EXPANSION * archiveBytes)
			throw invalid("it goes on and on without an archive", where);
		yield entries;
	}
	yield entriesOf(Buffer.from(rest).toString("utf8"), where);
}

/** Of whole lines. Throws STORE_INVALID (exit 5). */
export function entriesOf(lines: string, where: string): TarSplitEntry[] {
	const entries: TarSplitEntry[] = [];
	for (const line of lines.split("\n")) {
		if (line.trim() === "") continue;
		const entry = entryOf(line, where);
		if (entry !== undefined) entries.push(entry);
	}
	return entries;
}

/** Not by a schema: there are as many lines as an image has files. */
function entryOf(line: string, where: string): TarSplitEntry | undefined {
	let value: unknown;
	try {
		value = JSON.parse(line);
	} catch {
		throw invalid("a line is not JSON", where);
	}
	if (typeof value !== "object" || value === null) throw invalid("a line is no object", where);
	const { type, name, name_raw: rawName, size = 0, payload } = value as Readonly<Record<string, unknown>>;
	const text = payload ?? "";
	if (typeof text !== "string") throw invalid("a payload is no text", where);
	if (type === 2) return { kind: "bytes", base64: text, byteLength: Buffer.byteLength(text, "base64") };
	if (type !== 1) throw invalid("an entry is neither bytes nor a file", where);
	if (!Number.isSafeInteger(size) || Number(size) < 0) throw invalid("a file's size is none", where);
	if (size === 0) return undefined;
	const path =
		typeof rawName === "string" && rawName !== ""
			? byteStringOf(Buffer.from(rawName, "base64"))
			: typeof name === "string"
				? byteStringFromText(name)
				: "";
	if (path === "" || path.includes("\0")) throw invalid("a file's name is none", where);
	return { kind: "file", path, byteLength: Number(size), checksum: text };
}

function invalid(what: string, where: string): Oci2isoError {
	return corrupt("STORE_INVALID", what, where, "what tar-split writes");
}
