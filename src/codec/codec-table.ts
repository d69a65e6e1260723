import { Oci2isoError } from "../errors.ts";
import { gzipOptionsBlock, lz4OptionsBlock, xzOptionsBlock, zstdOptionsBlock } from "./options-block.ts";
import type { CodecName } from "./types.ts";

export interface Codec {
	readonly name: CodecName;
	/** Superblock, offset 20. */
	readonly squashfsId: number;
	/** Inclusive; undefined where there is nothing to choose. */
	readonly levels: { readonly min: number; readonly max: number } | undefined;
	/** squashfs-tools' own default. */
	readonly defaultLevel: number;
	/** The options block after the superblock, or undefined where squashfs-tools writes none for this level. */
	optionsBlock(level: number): Uint8Array | undefined;
}

/**
 * The compressors that are written. Levels are the libraries' own. gzip 10-12 need libdeflate, whose levels 1-9 are also slightly
 * denser than zlib's of the same number. lz4 0 is the fast encoder and 1-12 the high-compression one. xz levels are liblzma's presets,
 * with the dictionary of a block.
 */
export const codecTable: Readonly<Record<CodecName, Codec>> = {
	zstd: { name: "zstd", squashfsId: 6, levels: { min: 1, max: 22 }, defaultLevel: 15, optionsBlock: zstdOptionsBlock },
	gzip: { name: "gzip", squashfsId: 1, levels: { min: 1, max: 12 }, defaultLevel: 9, optionsBlock: gzipOptionsBlock },
	xz: { name: "xz", squashfsId: 4, levels: { min: 0, max: 9 }, defaultLevel: 6, optionsBlock: xzOptionsBlock },
	lz4: { name: "lz4", squashfsId: 5, levels: { min: 0, max: 12 }, defaultLevel: 0, optionsBlock: lz4OptionsBlock },
	// Every reader knows gzip; the superblock's flags say that nothing is compressed.
	none: { name: "none", squashfsId: 1, levels: undefined, defaultLevel: 0, optionsBlock: () => undefined },
};

/** Compressors of squashfs 4.0 that are recognised and not read. */
const unsupportedIds: ReadonlyMap<number, string> = new Map([
	[2, "lzma"],
	[3, "lzo"],
]);

/** The codec of a superblock. Throws `Oci2isoError` UNSUPPORTED_COMPRESSOR for lzma (2), lzo (3) and unknown ids. */
export function codecFromSquashfsId(squashfsId: number): CodecName {
	for (const codec of Object.values(codecTable))
		if (codec.squashfsId === squashfsId && codec.name !== "none") return codec.name;
	const name = unsupportedIds.get(squashfsId);
	throw new Oci2isoError({
		code: "UNSUPPORTED_COMPRESSOR",
		kind: "corrupt",
		what: `the squashfs is compressed with ${name ?? `unknown method ${squashfsId}`}`,
		where: "squashfs superblock, offset 20",
		expected: "gzip (1), xz (4), lz4 (5) or zstd (6)",
	});
}

/** `level`, or the codec's default. Throws `Oci2isoError` LEVEL_OUT_OF_RANGE (usage) naming the range. */
export function checkedLevel(codec: CodecName, level: number | undefined): number {
	const { levels, defaultLevel } = codecTable[codec];
	if (level === undefined) return defaultLevel;
	if (levels === undefined) throw levelOutOfRange(codec, level, "no level: it does not compress");
	if (!Number.isInteger(level) || level < levels.min || level > levels.max)
		throw levelOutOfRange(codec, level, `${levels.min} to ${levels.max}`);
	return level;
}

export function levelOutOfRange(codec: CodecName, level: number, expected: string): Oci2isoError {
	return new Oci2isoError({
		code: "LEVEL_OUT_OF_RANGE",
		kind: "usage",
		what: `${codec} has no compression level ${level}`,
		expected,
	});
}
