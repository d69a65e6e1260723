import { crc32 } from "node:zlib";
import { ByteWriter } from "../binary/byte-writer.ts";
import { from0, record } from "../binary/record.ts";

/** The .xz file format, 2.1.1: stream header. */
export const xzStreamHeader = record("xz stream header", 12, {
	magic: from0.bytes(0, 6),
	reserved: from0.u8(6),
	/** 0 none, 1 CRC32, 4 CRC64, 10 SHA-256 */
	check: from0.u8(7),
	/** Of the two bytes before */
	crc32: from0.u32le(8),
});

const XZ_MAGIC = Buffer.from("fd377a585a00", "hex");
/** The .xz file format, 5.3.1 */
export const XZ_FILTER_LZMA2 = 0x21;

/** The .xz file format, 5.3.1: dictionary size from its one byte; Infinity for reserved values. */
export function lzma2DictionaryBytes(property: number): number {
	if (property > 40) return Number.POSITIVE_INFINITY;
	return property === 40 ? 2 ** 32 - 1 : (2 | (property & 1)) * 2 ** ((property >> 1) + 11);
}

/** The .xz file format, 2.1.2: stream footer. */
const xzStreamFooter = record("xz stream footer", 12, {
	/** Of the fields behind it */
	crc32: from0.u32le(0),
	/** Index size in units of 4 bytes, less one */
	backwardSize: from0.u32le(4),
	reserved: from0.u8(8),
	check: from0.u8(9),
	magic: from0.bytes(10, 2),
});

const FOOTER_MAGIC = Buffer.from("YZ", "latin1");
const CHECK_CRC32 = 1;
const BLOCK_HEADER_BYTES = 12;

/**
 * An .xz stream of one block, with CRC32 check, around raw LZMA2 chunks of `content` whose distances reach at most `dictionaryBytes`
 * back (a power of two, 4 KiB or more).
 */
export function encodeXzContainer(lzma2: Uint8Array, content: Uint8Array, dictionaryBytes: number): Buffer {
	const flags = Buffer.from([0, CHECK_CRC32]);
	const out = new ByteWriter(lzma2.byteLength + 64);
	out.bytes(xzStreamHeader.encode({ magic: XZ_MAGIC, reserved: 0, check: CHECK_CRC32, crc32: crc32(flags) }));

	const dictionaryProperty = 2 * (Math.log2(dictionaryBytes) - 12);
	const blockHeader = Buffer.from([BLOCK_HEADER_BYTES / 4 - 1, 0, XZ_FILTER_LZMA2, 1, dictionaryProperty, 0, 0, 0]);
	out.bytes(blockHeader).u32le(crc32(blockHeader));
	out.bytes(lzma2).align(4).u32le(crc32(content));

	// 4: index
	const indexStart = out.length;
	out.u8(0).u8(1);
	variableInteger(out, BLOCK_HEADER_BYTES + lzma2.byteLength + 4);
	variableInteger(out, content.byteLength);
	out.align(4);
	out.u32le(crc32(out.view(indexStart)));
	const indexBytes = out.length - indexStart;

	const footer = xzStreamFooter.encode({
		crc32: 0,
		backwardSize: indexBytes / 4 - 1,
		reserved: 0,
		check: CHECK_CRC32,
		magic: FOOTER_MAGIC,
	});
	footer.writeUInt32LE(crc32(footer.subarray(4, 10)), 0);
	return Buffer.from(out.bytes(footer).view());
}

interface XzContent {
	/** Raw LZMA2 chunks with their end marker. */
	readonly lzma2: Uint8Array;
	readonly dictionaryBytes: number;
	/** Sum of what the chunks say they hold. */
	readonly contentBytes: number;
	/** Undefined where the stream has no check. */
	readonly contentCrc32: number | undefined;
}

/** The one block of a squashfs xz stream with LZMA2 alone, or undefined where it is something else. */
export function decodeXzContainer(stream: Uint8Array): XzContent | undefined {
	const headers = decodeXzHeaders(stream);
	if (typeof headers === "string" || headers.check > CHECK_CRC32) return undefined;
	const [filter, second] = headers.filters;
	if (filter?.id !== XZ_FILTER_LZMA2 || second !== undefined) return undefined;

	let at = headers.byteLength;
	let contentBytes = 0;
	const u16be = (offset: number): number => ((stream[offset] ?? 0) << 8) | (stream[offset + 1] ?? 0);
	for (let control = stream[at]; control !== 0; control = stream[at]) {
		if (control === undefined) return undefined;
		if (control < 0x80) {
			contentBytes += u16be(at + 1) + 1;
			at += 3 + u16be(at + 1) + 1;
		} else {
			contentBytes += ((control & 0x1f) << 16) + u16be(at + 1) + 1;
			at += (control >= 0xc0 ? 6 : 5) + u16be(at + 3) + 1;
		}
	}
	const lzma2 = stream.subarray(headers.byteLength, at + 1);
	const checkAt = headers.byteLength + Math.ceil(lzma2.byteLength / 4) * 4;
	if (checkAt + 4 > stream.byteLength) return undefined;
	const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
	return {
		lzma2,
		dictionaryBytes: lzma2DictionaryBytes(filter.firstProperty),
		contentBytes,
		contentCrc32: headers.check === CHECK_CRC32 ? view.getUint32(checkAt, true) : undefined,
	};
}

/** The stream header and the first block's header. */
interface XzHeaders {
	/** Id of the integrity check: 0 none, 1 CRC32, 4 CRC64, 10 SHA-256 */
	readonly check: number;
	/** In the order of encoding; the last one is the compressor. */
	readonly filters: readonly { readonly id: number; readonly firstProperty: number }[];
	/** Where the compressed data starts. */
	readonly byteLength: number;
}

/** Reads the headers, or says what is wrong with them. */
export function decodeXzHeaders(stream: Uint8Array): XzHeaders | string {
	const blockHeaderAt = xzStreamHeader.byteLength;
	const byteLength = blockHeaderAt + ((stream[blockHeaderAt] ?? 255) + 1) * 4;
	if (stream.byteLength < byteLength) return "it is shorter than its xz headers";
	const header = xzStreamHeader.decode(stream);
	if (!XZ_MAGIC.equals(header.magic)) return "it does not start with an xz header";
	if (crc32(stream.subarray(6, 8)) !== header.crc32 || header.reserved !== 0) return "its xz stream header is broken";

	// 3.1: size, flags, optional sizes, filters, padding, CRC32
	const block = stream.subarray(blockHeaderAt, byteLength - 4);
	const checksum = new DataView(stream.buffer, stream.byteOffset + byteLength - 4, 4).getUint32(0, true);
	if (crc32(block) !== checksum) return "its xz block header is broken";
	const flags = block[1] ?? 0;
	let at = 2;
	const variableInteger = (): number => {
		let value = 0;
		for (let i = 0; i < 9; i++) {
			const byte = block[at++] ?? 0;
			value += (byte & 0x7f) * 2 ** (7 * i);
			if (byte < 0x80) break;
		}
		return value;
	};
	if ((flags & 0x40) !== 0) variableInteger();
	if ((flags & 0x80) !== 0) variableInteger();
	const filters: { id: number; firstProperty: number }[] = [];
	for (let count = (flags & 3) + 1; count > 0; count--) {
		const id = variableInteger();
		const propertiesBytes = variableInteger();
		filters.push({ id, firstProperty: propertiesBytes === 0 ? 0 : (block[at] ?? 255) });
		at += propertiesBytes;
	}
	return { check: header.check, filters, byteLength };
}

/** 1.2: variable-length integer. */
function variableInteger(out: ByteWriter, value: number): void {
	let rest = value;
	for (; rest >= 0x80; rest = Math.floor(rest / 128)) out.u8((rest % 128) + 128);
	out.u8(rest);
}
