import { from0, record } from "../binary/record.ts";

/** squashfs 4.0, compressor options: gzip. */
export const gzipOptions = record("squashfs gzip options", 8, {
	/** 1 to 9 */
	compressionLevel: from0.u32le(0),
	/** Bits, 8 to 15 */
	windowSize: from0.u16le(4),
	/** Bit set of what the encoder tried; 0 = default only */
	strategies: from0.u16le(6),
});

/** squashfs 4.0, compressor options: xz. */
export const xzOptions = record("squashfs xz options", 8, {
	/** Bytes: 2^n or 2^n + 2^(n+1) */
	dictionarySize: from0.u32le(0),
	/** Bit set of branch filters that were tried: x86 1, PowerPC 2, IA-64 4, ARM 8, ARM-Thumb 16, SPARC 32 */
	filters: from0.u32le(4),
});

/** squashfs 4.0, compressor options: lz4. The block is mandatory. */
export const lz4Options = record("squashfs lz4 options", 8, {
	/** 1: raw blocks ("legacy") */
	version: from0.u32le(0),
	/** Bit 0: high compression */
	flags: from0.u32le(4),
});

/** squashfs 4.0, compressor options: zstd. */
export const zstdOptions = record("squashfs zstd options", 4, {
	/** 1 to 22 */
	compressionLevel: from0.u32le(0),
});

const GZIP_DEFAULT_LEVEL = 9;
const GZIP_WINDOW_BITS = 15;
const ZSTD_DEFAULT_LEVEL = 15;
const LZ4_RAW_BLOCKS = 1;
const LZ4_HIGH_COMPRESSION = 1;

export function gzipOptionsBlock(level: number): Uint8Array | undefined {
	// Readers refuse levels above 9, which libdeflate has.
	const compressionLevel = Math.min(level, GZIP_DEFAULT_LEVEL);
	if (compressionLevel === GZIP_DEFAULT_LEVEL) return undefined;
	return gzipOptions.encode({ compressionLevel, windowSize: GZIP_WINDOW_BITS, strategies: 0 });
}

/** Never written: the preset is not recorded, and the dictionary is always the default one. */
export function xzOptionsBlock(): undefined {
	return undefined;
}

export function lz4OptionsBlock(level: number): Uint8Array {
	return lz4Options.encode({ version: LZ4_RAW_BLOCKS, flags: level === 0 ? 0 : LZ4_HIGH_COMPRESSION });
}

export function zstdOptionsBlock(level: number): Uint8Array | undefined {
	return level === ZSTD_DEFAULT_LEVEL ? undefined : zstdOptions.encode({ compressionLevel: level });
}
