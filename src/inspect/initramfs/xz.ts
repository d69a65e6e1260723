import { alignUp, MiB } from "../../binary/units.ts";
import { decodeXzHeaders, lzma2DictionaryBytes, XZ_FILTER_LZMA2, xzStreamHeader } from "../../codec/xz-container.ts";
import { LzmaFault } from "../../lzma/lzma-decoder.ts";
import { Lzma2Decoder } from "../../lzma/lzma2-decoder.ts";

const MAX_DICTIONARY_BYTES = 128 * MiB;
/** The .xz file format, 2.1.1.2: bytes of each kind of check. */
const CHECK_BYTES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];
const FOOTER_BYTES = 12;

export interface XzStream {
	/** Offset behind the stream. */
	readonly end: number;
	/** 0 none, 1 CRC32, 4 CRC64, 10 SHA-256; the kernel's decoder knows the first two. */
	readonly check: number;
}

/**
 * Decodes one .xz stream at `start`; checks are not verified. Returns what it was, or in words why it cannot be decoded.
 */
export function decodeXzStream(input: Uint8Array, start: number, emit: (bytes: Uint8Array) => void): XzStream | string {
	const headers = decodeXzHeaders(input.subarray(start));
	if (typeof headers === "string") return headers;
	const { check } = headers;
	let at = start + xzStreamHeader.byteLength;
	let records = 0;
	try {
		// 3: blocks, until the index indicator
		while (input[at] !== 0) {
			// The block's headers are decoded behind the stream's, wherever the block is.
			const block = decodeXzHeaders(
				Buffer.concat([input.subarray(start, start + xzStreamHeader.byteLength), input.subarray(at, at + 1024)]),
			);
			if (typeof block === "string") return block;
			const [filter, second] = block.filters;
			if (filter?.id !== XZ_FILTER_LZMA2 || second !== undefined) return "it has filters beside LZMA2";
			const dictionaryBytes = lzma2DictionaryBytes(filter.firstProperty);
			if (dictionaryBytes > MAX_DICTIONARY_BYTES) return `its dictionary has ${dictionaryBytes} bytes`;
			const dataAt = at + block.byteLength - xzStreamHeader.byteLength;
			const dataEnd = new Lzma2Decoder(dictionaryBytes).decode(input, dataAt, emit);
			at = dataAt + alignUp(dataEnd - dataAt, 4) + (CHECK_BYTES[check] ?? 0);
			records++;
		}
	} catch (error) {
		if (error instanceof LzmaFault) return error.message;
		throw error;
	}
	const end = indexEnd(input, at, records);
	return end === undefined ? "it ends within its index" : { end: end + FOOTER_BYTES, check };
}

/** 4: indicator, number of records, two integers each, padding, CRC32. */
function indexEnd(input: Uint8Array, start: number, records: number): number | undefined {
	let at = start + 1;
	for (let left = 1 + 2 * records; left > 0; at++) {
		const byte = input[at];
		if (byte === undefined) return undefined;
		if (byte < 0x80) left--;
	}
	const end = start + alignUp(at - start, 4) + 4;
	return end + FOOTER_BYTES <= input.byteLength ? end : undefined;
}
