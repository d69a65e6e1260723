import { crc32 } from "node:zlib";
import { from0, record } from "../binary/record.ts";
import type { CodecName } from "./types.ts";

/** The kernel's decoders get a window of the block size, and never less than a metadata block. */
const MIN_WINDOW_BYTES = 8192;

/**
 * Why the Linux kernel's squashfs would refuse a compressed block (it answers EIO where user-space tools read happily), judged by
 * the block's header; undefined when it takes it. `blockBytes` is the superblock's block size.
 */
export function kernelRefusal(codec: CodecName, block: Uint8Array, blockBytes: number): string | undefined {
	const windowBytes = Math.max(blockBytes, MIN_WINDOW_BYTES);
	switch (codec) {
		case "gzip":
			return zlibRefusal(block);
		case "xz":
			return xzRefusal(block, windowBytes);
		case "zstd":
			return zstdRefusal(block, windowBytes);
		case "lz4":
		case "none":
			return undefined; // no header
	}
}

/** RFC 1950, 2.2: CMF and FLG. */
function zlibRefusal(block: Uint8Array): string | undefined {
	const [cmf, flg] = block;
	if (cmf === undefined || flg === undefined) return "it is shorter than a zlib header";
	if ((cmf & 15) !== 8 || cmf >> 4 > 7 || (cmf * 256 + flg) % 31 !== 0) return "it does not start with a zlib header";
	return (flg & 0x20) === 0 ? undefined : "it needs a preset dictionary";
}

/** The .xz file format, 2.1.1: stream header. */
export const xzStreamHeader = record("xz stream header", 12, {
	magic: from0.bytes(0, 6),
	reserved: from0.u8(6),
	/** 0 none, 1 CRC32, 4 CRC64, 10 SHA-256 */
	check: from0.u8(7),
	/** Of the two bytes before */
	crc32: from0.u32le(8),
});

export const XZ_MAGIC = Buffer.from("fd377a585a00", "hex");
/** The .xz file format, 5.3.1 */
export const XZ_FILTER_LZMA2 = 0x21;
const XZ_FIRST_BRANCH_FILTER = 4;
const XZ_LAST_BRANCH_FILTER = 9;

function xzRefusal(block: Uint8Array, windowBytes: number): string | undefined {
	if (block.byteLength < xzStreamHeader.byteLength + 8) return "it is shorter than an xz header";
	const header = xzStreamHeader.decode(block);
	if (!XZ_MAGIC.equals(header.magic)) return "it does not start with an xz header";
	if (crc32(block.subarray(6, 8)) !== header.crc32) return "the checksum of its xz header is wrong";
	if (header.check > 1 || header.reserved !== 0)
		return `its xz check has id ${header.check}, and the kernel knows none (0) and CRC32 (1)`;

	// 3.1: block header size, flags, optional sizes, filter flags
	const blockHeader = block.subarray(12, 12 + ((block[12] ?? 0) + 1) * 4);
	const flags = blockHeader[1] ?? 0;
	let at = 2;
	const variableInteger = (): number => {
		let value = 0;
		for (let i = 0; i < 9; i++) {
			const byte = blockHeader[at++] ?? 0;
			value += (byte & 0x7f) * 2 ** (7 * i);
			if (byte < 0x80) break;
		}
		return value;
	};
	if ((flags & 0x40) !== 0) variableInteger();
	if ((flags & 0x80) !== 0) variableInteger();
	const filterCount = (flags & 3) + 1;
	for (let filter = 1; filter <= filterCount; filter++) {
		const id = variableInteger();
		const propertiesBytes = variableInteger();
		if (id === XZ_FILTER_LZMA2 && filter === filterCount) {
			const dictionaryBytes = lzma2DictionaryBytes(blockHeader[at] ?? 255);
			return dictionaryBytes <= windowBytes
				? undefined
				: `its dictionary of ${dictionaryBytes} bytes exceeds the kernel's ${windowBytes}`;
		}
		if (id < XZ_FIRST_BRANCH_FILTER || id > XZ_LAST_BRANCH_FILTER || filter > 1)
			return `the kernel does not know its xz filter ${id}`;
		at += propertiesBytes;
	}
	return "its last xz filter is not LZMA2";
}

/** The .xz file format, 5.3.1: dictionary size from its one byte; Infinity for reserved values. */
export function lzma2DictionaryBytes(property: number): number {
	if (property > 40) return Number.POSITIVE_INFINITY;
	return property === 40 ? 2 ** 32 - 1 : (2 | (property & 1)) * 2 ** ((property >> 1) + 11);
}

/** RFC 8878, 3.1.1.1: frame header. */
export interface ZstdFrameHeader {
	readonly byteLength: number;
	readonly windowBytes: number;
	readonly contentBytes: number | undefined;
	readonly dictionaryId: number;
	readonly hasChecksum: boolean;
	/** Byte 4, the frame header descriptor */
	readonly descriptor: number;
}

export const ZSTD_MAGIC = 0xfd2fb528;
/** Longest header: magic, descriptor, window, dictionary id, content size. */
export const ZSTD_MAX_HEADER_BYTES = 18;

/** The header at the start of `bytes`, undefined where more bytes are needed, or what is wrong with it. */
export function decodeZstdFrameHeader(bytes: Uint8Array): ZstdFrameHeader | string | undefined {
	if (bytes.byteLength < 5) return undefined;
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	if (view.getUint32(0, true) !== ZSTD_MAGIC) return "it does not start with a zstd frame";
	const descriptor = view.getUint8(4);
	if ((descriptor & 0x08) !== 0) return "a reserved bit of its zstd frame header is set";
	const singleSegment = (descriptor & 0x20) !== 0;
	const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
	const contentSizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
	const dictionaryAt = singleSegment ? 5 : 6;
	const contentAt = dictionaryAt + dictionaryIdBytes;
	const byteLength = contentAt + contentSizeBytes;
	if (bytes.byteLength < byteLength) return undefined;

	const integer = (at: number, length: number): number => {
		let value = 0;
		for (let i = length - 1; i >= 0; i--) value = value * 256 + view.getUint8(at + i);
		return value;
	};
	const contentBytes =
		contentSizeBytes === 0 ? undefined : integer(contentAt, contentSizeBytes) + (contentSizeBytes === 2 ? 256 : 0);
	let windowBytes = contentBytes ?? 0;
	if (!singleSegment) {
		const windowDescriptor = view.getUint8(5);
		const base = 2 ** (10 + (windowDescriptor >> 3));
		windowBytes = base + (base / 8) * (windowDescriptor & 7);
	}
	const dictionaryId = integer(dictionaryAt, dictionaryIdBytes);
	return { byteLength, windowBytes, contentBytes, dictionaryId, hasChecksum: (descriptor & 4) !== 0, descriptor };
}

function zstdRefusal(block: Uint8Array, windowBytes: number): string | undefined {
	const header = decodeZstdFrameHeader(block);
	if (header === undefined) return "it is shorter than a zstd frame header";
	if (typeof header === "string") return header;
	if (header.dictionaryId !== 0) return "it needs a zstd dictionary";
	return header.windowBytes <= windowBytes
		? undefined
		: `its window of ${header.windowBytes} bytes exceeds the kernel's ${windowBytes}`;
}
