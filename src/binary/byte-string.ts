import { printable } from "./printable.ts";

/**
 * A string with one character (U+0000-U+00FF) per byte: how file names, link targets and xattr names are held, because the
 * formats store bytes and images hold names that are not UTF-8. Compare, hash and sort it like the bytes it stands for.
 */
export type ByteString = string;

const MAX_SHOWN_BYTES = 256;

export function bytesOf(text: ByteString): Buffer {
	return Buffer.from(text, "latin1");
}

export function byteStringOf(bytes: Uint8Array): ByteString {
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** The bytes that `text` has as UTF-8. */
export function byteStringFromText(text: string): ByteString {
	return Buffer.from(text, "utf8").toString("latin1");
}

/** The text that the bytes are, or undefined where they are not UTF-8. */
export function utf8TextOf(name: ByteString): string | undefined {
	try {
		return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytesOf(name));
	} catch {
		return undefined;
	}
}

/** For people: `printable` where it is UTF-8, `\xNN` for all bytes beyond ASCII where it is not. Never used as a key. */
export function displayName(name: ByteString): string {
	const text = utf8TextOf(name);
	return text === undefined ? name.replace(/[^ -~]/g, escapedByte) : printable(text);
}

/** For people: `displayName`, of the start only where it is long. */
export function displayPath(path: ByteString): string {
	return path.length > MAX_SHOWN_BYTES ? `${displayName(path.slice(0, MAX_SHOWN_BYTES))}…` : displayName(path);
}

function escapedByte(c: string): string {
	return `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

/** Byte order, as directories on disk are sorted. */
export function compareByteStrings(a: ByteString, b: ByteString): number {
	return a < b ? -1 : a > b ? 1 : 0;
}
