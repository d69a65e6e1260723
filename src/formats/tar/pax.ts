import type { ByteString } from "../../binary/byte-string.ts";

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

/** No number has more digits; a longer text is none. */
const MAX_DIGITS = 20;
const MINUS = 0x2d;
const PLUS = 0x2b;

/** A decimal integer, or NaN. */
export function parsePaxInteger(text: ByteString): number {
	const start = text.charCodeAt(0) === MINUS ? 1 : 0;
	const value = isDigits(text, start, text.length) ? Number(text) : Number.NaN;
	return Number.isSafeInteger(value) ? value : Number.NaN;
}

/** A decimal integer of 64 bits, with or without a sign, or undefined. */
export function parsePaxInt64(text: ByteString): bigint | undefined {
	const sign = text.charCodeAt(0);
	const start = sign === MINUS || sign === PLUS ? 1 : 0;
	if (!isDigits(text, start, text.length)) return undefined;
	const value = BigInt(text);
	return BigInt.asIntN(64, value) === value ? value : undefined;
}

/** Decimal seconds with any number of digits after the point (those below a nanosecond are cut off), or undefined. */
export function parsePaxTime(text: ByteString): { seconds: number; nanoseconds: number } | undefined {
	const isNegative = text.charCodeAt(0) === MINUS;
	const start = isNegative ? 1 : 0;
	const point = text.indexOf(".");
	const end = point === -1 ? text.length : point;
	if (!isDigits(text, start, end)) return undefined;
	const seconds = Number(text.slice(start, end));
	if (!Number.isSafeInteger(seconds)) return undefined;
	const fraction = text.slice(end + 1, end + 10);
	for (let at = end + 1; at < text.length; at++) if (!isDigit(text.charCodeAt(at))) return undefined;
	const nanoseconds = Number(fraction.padEnd(9, "0"));
	if (!isNegative) return { seconds, nanoseconds };
	return nanoseconds === 0
		? { seconds: seconds === 0 ? 0 : -seconds, nanoseconds: 0 }
		: { seconds: -seconds - 1, nanoseconds: 1e9 - nanoseconds };
}

/** One to `MAX_DIGITS` decimal digits and nothing else. */
function isDigits(text: ByteString, start: number, end: number): boolean {
	if (end <= start || end - start > MAX_DIGITS) return false;
	for (let at = start; at < end; at++) if (!isDigit(text.charCodeAt(at))) return false;
	return true;
}

function isDigit(code: number): boolean {
	return code >= ZERO && code <= ZERO + 9;
}
