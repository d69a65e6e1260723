/** What is wrong with a header. */
export class RpmHeaderFault extends Error {}

/** What a package says of itself; an empty text is absent. */
export interface RpmHeader {
	readonly name: string | undefined;
	readonly version: string | undefined;
	readonly release: string | undefined;
	readonly epoch: number | undefined;
	readonly architecture: string | undefined;
	readonly license: string | undefined;
	readonly vendor: string | undefined;
	readonly url: string | undefined;
	/** File name of the package that it was built from. */
	readonly sourceRpm: string | undefined;
}

const TAGS = {
	1000: "name",
	1001: "version",
	1002: "release",
	1003: "epoch",
	1011: "vendor",
	1014: "license",
	1020: "url",
	1022: "architecture",
	1044: "sourceRpm",
} as const satisfies Readonly<Record<number, keyof RpmHeader>>;
const INT32 = 4;
const STRING = 6;
const I18N_STRING = 9;

const PREAMBLE_BYTES = 8;
const ENTRY_BYTES = 16;

/**
 * A header as package databases have it: the numbers of entries and of bytes of data, entries of tag, type, offset and count, then the data
 * (rpm's "Package format" and headers of versions 3, 4 and 6). Of an entry that comes twice the first counts. Throws `RpmHeaderFault`.
 */
export function decodeRpmHeader(blob: Uint8Array): RpmHeader {
	const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
	if (bytes.byteLength < PREAMBLE_BYTES) throw new RpmHeaderFault(`it has ${bytes.byteLength} bytes`);
	const entries = bytes.readUInt32BE(0);
	const dataBytes = bytes.readUInt32BE(4);
	const dataAt = PREAMBLE_BYTES + entries * ENTRY_BYTES;
	if (dataAt + dataBytes > bytes.byteLength)
		throw new RpmHeaderFault(`${entries} entries and ${dataBytes} bytes of data are more than it has`);
	const data = bytes.subarray(dataAt, dataAt + dataBytes);
	const values: Partial<Record<keyof RpmHeader, string | number | undefined>> = {};
	for (let at = PREAMBLE_BYTES; at < dataAt; at += ENTRY_BYTES) {
		const name = (TAGS as Readonly<Record<number, keyof RpmHeader>>)[bytes.readUInt32BE(at)];
		if (name === undefined || name in values) continue;
		values[name] = valueAt(data, bytes.readUInt32BE(at + 4), bytes.readUInt32BE(at + 8), name);
	}
	return values as unknown as RpmHeader;
}

function valueAt(data: Buffer, type: number, offset: number, name: string): string | number | undefined {
	if (name === "epoch") {
		if (type !== INT32 || offset + 4 > data.byteLength) throw new RpmHeaderFault("its epoch is no number");
		return data.readUInt32BE(offset);
	}
	const end = offset < data.byteLength ? data.indexOf(0, offset) : -1;
	if ((type !== STRING && type !== I18N_STRING) || end < 0) throw new RpmHeaderFault(`its ${name} is no text`);
	return end === offset ? undefined : data.toString("utf8", offset, end);
}
