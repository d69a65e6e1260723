import { corrupt, type Oci2isoError } from "../errors.ts";

/** RFC 8878, 3.1.1 */
const ZSTD_MAGIC = 0xfd2fb528;
/** RFC 8878, 3.1.2: the lowest 4 bits are free. */
export const ZSTD_SKIPPABLE_MAGIC = 0x184d2a50;
/** The largest window a decoder is asked to support (RFC 8878, 3.1.1.1.2), as `zstd -d` without `--long`: 128 MiB. */
export const MAX_WINDOW_LOG = 27;

/** RFC 8878, 3.1.1.1: frame header. */
interface ZstdFrameHeader {
	/** 6 to 18, with the magic number */
	readonly byteLength: number;
	readonly windowBytes: number;
	readonly contentBytes: number | undefined;
	/** 0: none */
	readonly dictionaryId: number;
	/** A checksum of 4 bytes follows the last block. */
	readonly hasChecksum: boolean;
}

/** The header at the start of `bytes`, undefined where more bytes are needed, or what is wrong with it. */
export function decodeZstdFrameHeader(bytes: Uint8Array): ZstdFrameHeader | string | undefined {
	if (bytes.byteLength < 6) return undefined;
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	if (view.getUint32(0, true) !== ZSTD_MAGIC) return "it does not start with a zstd frame";
	const descriptor = view.getUint8(4);
	if ((descriptor & 0x08) !== 0) return "a reserved bit of the zstd frame header is set";
	const singleSegment = (descriptor & 0x20) !== 0;
	const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
	const contentSizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
	const dictionaryIdAt = singleSegment ? 5 : 6;
	const contentSizeAt = dictionaryIdAt + dictionaryIdBytes;
	const byteLength = contentSizeAt + contentSizeBytes;
	if (bytes.byteLength < byteLength) return undefined;

	const integer = (at: number, length: number): number => {
		let value = 0;
		for (let i = length - 1; i >= 0; i--) value = value * 256 + view.getUint8(at + i);
		return value;
	};
	const contentBytes =
		contentSizeBytes === 0 ? undefined : integer(contentSizeAt, contentSizeBytes) + (contentSizeBytes === 2 ? 256 : 0);
	let windowBytes = contentBytes ?? 0;
	if (!singleSegment) {
		const windowDescriptor = view.getUint8(5);
		const base = 2 ** (10 + (windowDescriptor >> 3));
		windowBytes = base + (base / 8) * (windowDescriptor & 7);
	}
	const dictionaryId = integer(dictionaryIdAt, dictionaryIdBytes);
	return { byteLength, windowBytes, contentBytes, dictionaryId, hasChecksum: (descriptor & 4) !== 0 };
}

export function brokenZstd(reason: string): Oci2isoError {
	return corrupt("CORRUPT_ZSTD", `zstd data is broken: ${reason}`);
}

export function windowTooLarge(): Oci2isoError {
	return corrupt("ZSTD_WINDOW_TOO_LARGE", "zstd data needs too much memory", undefined, "a window of at most 128 MiB");
}

export function truncatedZstd(): Oci2isoError {
	return corrupt("TRUNCATED_ZSTD", "the zstd data ends within a frame", undefined, "complete frames");
}

/** What the library's own name of an error means. */
export function zstdFailure(name: string): Oci2isoError {
	return name.includes("requires too much memory") ? windowTooLarge() : brokenZstd(name);
}
