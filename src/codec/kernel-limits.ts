import type { CodecName } from "./types.ts";
import { decodeXzHeaders, lzma2DictionaryBytes, XZ_FILTER_LZMA2 } from "./xz-container.ts";
import { decodeZstdFrameHeader } from "./zstd-frame.ts";

/** The kernel's decoders get a window of the block size, and never less than a metadata block. */
const MIN_WINDOW_BYTES = 8192;
/** The .xz file format, 5.3.2: branch filters, which the kernel takes in front of LZMA2; the last two since Linux 6.12. */
const XZ_FIRST_BRANCH_FILTER = 4;
const XZ_LAST_BRANCH_FILTER = 11;

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

function xzRefusal(block: Uint8Array, windowBytes: number): string | undefined {
	const headers = decodeXzHeaders(block);
	if (typeof headers === "string") return headers;
	if (headers.check > 1) return `its xz check has id ${headers.check}, and the kernel knows none (0) and CRC32 (1)`;
	const last = headers.filters.at(-1);
	if (last?.id !== XZ_FILTER_LZMA2) return "its last xz filter is not LZMA2";
	const others = headers.filters.slice(0, -1);
	if (others.length > 1) return "it has more than one xz branch filter";
	const unknown = others.find(({ id }) => id < XZ_FIRST_BRANCH_FILTER || id > XZ_LAST_BRANCH_FILTER);
	if (unknown !== undefined) return `the kernel does not know its xz filter ${unknown.id}`;
	const dictionaryBytes = lzma2DictionaryBytes(last.firstProperty);
	return dictionaryBytes <= windowBytes
		? undefined
		: `its dictionary of ${dictionaryBytes} bytes exceeds the kernel's ${windowBytes}`;
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
