import type { BlockCompressor, CompressedBlock } from "./types.ts";

/** RFC 1950, 2.2: two bytes before the stream of RFC 1951, and the checksum behind it. */
const ZLIB_HEADER_BYTES = 2;
const ZLIB_CHECKSUM_BYTES = 4;

/**
 * A gzip compressor whose blocks have no zlib header and checksum. None begins with a zero: such a stream starts with bytes as they are, and the block is
 * taken as it is instead, for readers that skip zeros in front.
 */
export function withoutZlib(zlib: BlockCompressor): BlockCompressor {
	const raw = <Result extends CompressedBlock>(result: Result, block: Uint8Array): Result | CompressedBlock => {
		if (!result.compressed) return result;
		const bytes = result.bytes.subarray(ZLIB_HEADER_BYTES, result.bytes.byteLength - ZLIB_CHECKSUM_BYTES);
		return bytes[0] === 0 ? { compressed: false, bytes: block } : { compressed: true, bytes };
	};
	return {
		codec: zlib.codec,
		level: zlib.level,
		// blocks are named after it
		encoder: `${zlib.encoder}, raw`,
		get pending() {
			return zlib.pending;
		},
		acquire: () => zlib.acquire(),
		release: (buffer) => zlib.release(buffer),
		submit: (buffer, length, done) =>
			zlib.submit(buffer, length, (result) => done(raw(result, buffer.subarray(0, length)))),
		after: (done) => zlib.after(done),
		settle: (maxPending) => zlib.settle(maxPending),
		compressNow: (block) => raw(zlib.compressNow(block), block),
		close: () => zlib.close(),
	};
}
