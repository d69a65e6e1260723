import type { ByteQueue } from "../../binary/byte-queue.ts";
import { alignUp, MiB } from "../../binary/units.ts";
import { decodeXzHeaders, lzma2DictionaryBytes, XZ_FILTER_LZMA2, xzStreamHeader } from "../../codec/xz-container.ts";
import { LzmaFault } from "../../formats/lzma/lzma-decoder.ts";
import { Lzma2Decoder, MAX_LZMA2_CHUNK_BYTES } from "../../formats/lzma/lzma2-decoder.ts";
import type { Damage, Emit } from "./segment.ts";

const MAX_DICTIONARY_BYTES = 128 * MiB;
/** The .xz file format, 3.1.1 */
const MAX_BLOCK_HEADER_BYTES = 1024;
/** The .xz file format, 2.1.1.2: bytes of each kind of check. */
const CHECK_BYTES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];
const FOOTER_BYTES = 12;

interface XzStream {
	/** 0 none, 1 CRC32, 4 CRC64, 10 SHA-256; the kernel's decoder knows the first two. */
	readonly check: number;
}

/** Decodes one .xz stream, chunk by chunk in the memory of one dictionary; checks are not verified. */
export async function decodeXzStream(input: ByteQueue, emit: Emit): Promise<XzStream | Damage> {
	const start = await input.fill(xzStreamHeader.byteLength + MAX_BLOCK_HEADER_BYTES);
	const headers = decodeXzHeaders(start);
	if (typeof headers === "string") return { damage: headers };
	const { check } = headers;
	const streamHeader = Buffer.from(start.subarray(0, xzStreamHeader.byteLength));
	input.take(streamHeader.byteLength);
	let decoder: Lzma2Decoder | undefined;
	let blocks = 0;
	try {
		// 3: blocks, until the index indicator
		for (;;) {
			const next = await input.fill(MAX_BLOCK_HEADER_BYTES);
			if (next[0] === 0) break;
			// The block's headers are decoded behind the stream's, wherever the block is.
			const block = decodeXzHeaders(Buffer.concat([streamHeader, next.subarray(0, MAX_BLOCK_HEADER_BYTES)]));
			if (typeof block === "string") return { damage: block };
			const [filter, second] = block.filters;
			if (filter?.id !== XZ_FILTER_LZMA2 || second !== undefined) return { damage: "it has filters beside LZMA2" };
			const dictionaryBytes = lzma2DictionaryBytes(filter.firstProperty);
			if (dictionaryBytes > MAX_DICTIONARY_BYTES) return { damage: `its dictionary has ${dictionaryBytes} bytes` };
			input.take(block.byteLength - streamHeader.byteLength);
			if (decoder?.dictionaryBytes === dictionaryBytes) decoder.restart();
			else decoder = new Lzma2Decoder(dictionaryBytes);
			const dataAt = input.offset;
			while (!decoder.isAtEnd) input.take(decoder.decodeChunk(await input.fill(MAX_LZMA2_CHUNK_BYTES), 0, emit));
			const dataBytes = input.offset - dataAt;
			await input.skip(alignUp(dataBytes, 4) - dataBytes + (CHECK_BYTES[check] ?? 0));
			blocks++;
		}
	} catch (error) {
		if (error instanceof LzmaFault) return { damage: error.message };
		throw error;
	}
	return (await skipIndex(input, blocks)) ? { check } : { damage: "it ends within its index" };
}

/** 4: indicator, number of records, two integers each, padding, CRC32; and the footer. False where they are not all there. */
async function skipIndex(input: ByteQueue, records: number): Promise<boolean> {
	const start = input.offset;
	input.take(1);
	for (let left = 1 + 2 * records; left > 0; ) {
		const bytes = await input.fill(1);
		if (bytes.byteLength === 0) return false;
		let length = 0;
		while (left > 0 && length < bytes.byteLength) if ((bytes[length++] ?? 0) < 0x80) left--;
		input.take(length);
	}
	const length = input.offset - start;
	const rest = alignUp(length, 4) - length + 4 + FOOTER_BYTES;
	return (await input.skip(rest)) === rest;
}
