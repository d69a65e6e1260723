import { from0, record } from "../../binary/record.ts";
import type { BlockCompressor, BranchFilter, CodecName } from "../../codec/types.ts";
import { corrupt } from "../../errors.ts";

/** squashfs 4.0, compressor options: gzip. */
export const gzipOptions = record("squashfs gzip options", 8, {
	/** 1 to 9 */
	compressionLevel: from0.u32le(0),
	/** Bits, 8 to 15 */
	windowSize: from0.u16le(4),
	/** Bit set of what the encoder tried; 0 = default only */
	strategies: from0.u16le(6),
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

/** squashfs 4.0, compressor options: xz. */
export const xzOptions = record("squashfs xz options", 8, {
	/** Bytes */
	dictionaryBytes: from0.u32le(0),
	/** Bit set of what the encoder tried beside no filter */
	filters: from0.u32le(4),
});

/** squashfs-tools, xz_wrapper.c; arm64 since 4.6.1. */
const XZ_FILTER_BIT: Readonly<Record<Exclude<BranchFilter, "none">, number>> = { x86: 0x01, arm64: 0x40 };
const GZIP_DEFAULT_LEVEL = 9;
const GZIP_WINDOW_BITS = 15;
const ZSTD_DEFAULT_LEVEL = 15;
const LZ4_RAW_BLOCKS = 1;
const LZ4_HIGH_COMPRESSION = 1;

/** Superblock, offset 20. Every reader knows gzip: the flags say where nothing is compressed. */
export const COMPRESSOR_ID: Readonly<Record<CodecName, number>> = { none: 1, gzip: 1, xz: 4, lz4: 5, zstd: 6 };
/** By id; those without a codec are recognised and not read. */
const NAMES: readonly string[] = ["", "gzip", "lzma", "lzo", "xz", "lz4", "zstd"];

/** The codec of a superblock. Throws `Oci2isoError` UNSUPPORTED_COMPRESSOR for lzma (2), lzo (3) and unknown ids. */
export function codecOfCompressor(id: number): CodecName {
	const name = NAMES[id];
	if (name === "gzip" || name === "xz" || name === "lz4" || name === "zstd") return name;
	throw corrupt(
		"UNSUPPORTED_COMPRESSOR",
		`the squashfs is compressed with ${name || `unknown method ${id}`}`,
		"squashfs superblock, offset 20",
		"gzip (1), xz (4), lz4 (5) or zstd (6)",
	);
}

/** The compressor options (3.1), or undefined where squashfs-tools write none for these settings. */
export function optionsBlock(
	{ codec, level, bcj }: Pick<BlockCompressor, "codec" | "level" | "bcj">,
	blockBytes: number,
): Uint8Array | undefined {
	switch (codec) {
		case "gzip":
			// Readers refuse levels above 9, which libdeflate has.
			if (level >= GZIP_DEFAULT_LEVEL) return undefined;
			return gzipOptions.encode({ compressionLevel: level, windowSize: GZIP_WINDOW_BITS, strategies: 0 });
		case "lz4":
			return lz4Options.encode({ version: LZ4_RAW_BLOCKS, flags: level === 0 ? 0 : LZ4_HIGH_COMPRESSION });
		case "zstd":
			return level === ZSTD_DEFAULT_LEVEL ? undefined : zstdOptions.encode({ compressionLevel: level });
		// The preset is not recorded, and the dictionary is always the default one.
		case "xz":
			if (bcj === undefined || bcj === "none") return undefined;
			return xzOptions.encode({ dictionaryBytes: blockBytes, filters: XZ_FILTER_BIT[bcj] });
		case "none":
			return undefined;
	}
}
