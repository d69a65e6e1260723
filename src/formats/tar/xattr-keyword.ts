import type { ByteString } from "../../binary/byte-string.ts";

const PERCENT = 0x25;
const EQUALS = 0x3d;
const ZERO = 0x30;

/** The name of an extended attribute in `LIBARCHIVE.xattr.NAME`: URL-encoded. */
export function decodeUrlName(name: ByteString): ByteString {
	return decodePercents(name, () => true);
}

/**
 * The name in `SCHILY.xattr.NAME`. GNU tar writes `%` and `=` as `%25` and `%3D`, libarchive also every byte that is not printable ASCII; Go's and star's
 * writers encode nothing. What none of the first two would have encoded stands for itself.
 */
export function decodeSchilyName(name: ByteString): ByteString {
	return decodePercents(name, (byte) => byte === PERCENT || byte === EQUALS || byte < 33 || byte > 126);
}

function decodePercents(name: ByteString, isEncoded: (byte: number) => boolean): ByteString {
	let percent = name.indexOf("%");
	if (percent === -1) return name;
	let decoded = "";
	let start = 0;
	for (; percent !== -1; percent = name.indexOf("%", percent + 1)) {
		const byte = hexDigit(name.charCodeAt(percent + 1)) * 16 + hexDigit(name.charCodeAt(percent + 2));
		if (Number.isNaN(byte) || !isEncoded(byte)) continue;
		decoded += name.slice(start, percent) + String.fromCharCode(byte);
		start = percent + 3;
		percent += 2;
	}
	return decoded + name.slice(start);
}

function hexDigit(code: number): number {
	if (code >= ZERO && code <= ZERO + 9) return code - ZERO;
	const letter = code & ~0x20;
	return letter >= 0x41 && letter <= 0x46 ? letter - 0x41 + 10 : Number.NaN;
}

/** Base64 with or without its padding, or undefined. Takes time in proportion to the text. */
export function decodeBase64(text: ByteString): Uint8Array | undefined {
	let end = text.length;
	while (end > 0 && text.charCodeAt(end - 1) === EQUALS) end--;
	// A last group of one digit holds no whole byte.
	if (end % 4 === 1) return undefined;
	for (let at = 0; at < end; at++) if (!isBase64Digit(text.charCodeAt(at))) return undefined;
	return Uint8Array.from(Buffer.from(text.slice(0, end), "base64"));
}

function isBase64Digit(code: number): boolean {
	const letter = code & ~0x20;
	return (letter >= 0x41 && letter <= 0x5a) || (code >= ZERO && code <= ZERO + 9) || code === 0x2b || code === 0x2f;
}
