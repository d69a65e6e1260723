import type { ByteString } from "../binary/byte-string.ts";

export interface PaxRecord {
	readonly keyword: ByteString;
	/** A view of the bytes that were parsed. */
	readonly value: Uint8Array;
}

const SPACE = 0x20;
const EQUALS = 0x3d;
const NEWLINE = 0x0a;
const ZERO = 0x30;
const MAX_LENGTH_DIGITS = 12;

/**
 * Splits the body of a PAX extended header into its records, `"%d %s=%s\n"` with the length of the whole record first
 * (IEEE Std 1003.1, pax, "pax Header Block"). Values are bytes: they may hold NUL and newline.
 * Returns the position of the first byte of the record that is malformed when there is one.
 */
export function parsePaxRecords(bytes: Uint8Array): PaxRecord[] | { readonly malformedAt: number } {
	const records: PaxRecord[] = [];
	const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	let start = 0;
	while (start < text.byteLength) {
		let position = start;
		let length = 0;
		for (; position < text.byteLength && position - start <= MAX_LENGTH_DIGITS; position++) {
			const digit = (text[position] ?? 0) - ZERO;
			if (digit < 0 || digit > 9) break;
			length = length * 10 + digit;
		}
		const end = start + length;
		const hasLength = position > start && text[position] === SPACE;
		if (!hasLength || end > text.byteLength || end <= position + 1 || text[end - 1] !== NEWLINE)
			return { malformedAt: start };
		const keywordStart = position + 1;
		const equals = text.indexOf(EQUALS, keywordStart);
		if (equals <= keywordStart || equals >= end - 1) return { malformedAt: start };
		const keyword = text.toString("latin1", keywordStart, equals);
		if (keyword.includes("\0")) return { malformedAt: start };
		records.push({ keyword, value: bytes.subarray(equals + 1, end - 1) });
		start = end;
	}
	return records;
}

const DECIMAL = /^-?[0-9]{1,20}$/;

/** A decimal integer, or NaN. */
export function parsePaxInteger(text: ByteString): number {
	if (!DECIMAL.test(text)) return Number.NaN;
	const value = Number(text);
	return Number.isSafeInteger(value) ? value : Number.NaN;
}

const TIME = /^(-?)([0-9]{1,16})(?:\.([0-9]*))?$/;

/** Decimal seconds with any number of digits after the point (those below a nanosecond are cut off), or undefined. */
export function parsePaxTime(text: ByteString): { seconds: number; nanoseconds: number } | undefined {
	const match = TIME.exec(text);
	if (match === null) return undefined;
	const seconds = Number(match[2]);
	if (!Number.isSafeInteger(seconds)) return undefined;
	const nanoseconds = Number((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
	if (match[1] !== "-") return { seconds, nanoseconds };
	return nanoseconds === 0
		? { seconds: seconds === 0 ? 0 : -seconds, nanoseconds: 0 }
		: { seconds: -seconds - 1, nanoseconds: 1e9 - nanoseconds };
}
