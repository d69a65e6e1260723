import { KiB, MiB } from "../binary/units.ts";
import { Oci2isoError } from "../errors.ts";
import type { BranchFilter, CodecName } from "./types.ts";

export const BLOCK_BYTES_EXPECTED = "a power of two from 4096 to 1048576";

/** Whether blocks can have so much content. */
export function isBlockBytes(value: number): boolean {
	return value >= 4 * KiB && value <= MiB && Number.isInteger(Math.log2(value));
}

interface Codec {
	/** Inclusive; undefined where there is nothing to choose. */
	readonly levels: { readonly min: number; readonly max: number } | undefined;
	/** That of squashfs-tools. */
	readonly defaultLevel: number;
}

/**
 * The compressors that are written. Levels are the libraries' own. gzip 10-12 need libdeflate, whose levels 1-9 are also slightly
 * denser than zlib's of the same number. lz4 0 is the fast encoder and 1-12 the high-compression one. xz levels are liblzma's presets,
 * with the dictionary of a block.
 */
export const codecTable: Readonly<Record<CodecName, Codec>> = {
	zstd: { levels: { min: 1, max: 22 }, defaultLevel: 15 },
	gzip: { levels: { min: 1, max: 12 }, defaultLevel: 9 },
	xz: { levels: { min: 0, max: 9 }, defaultLevel: 6 },
	lz4: { levels: { min: 0, max: 12 }, defaultLevel: 0 },
	none: { levels: undefined, defaultLevel: 0 },
};

/** `level`, or the codec's default. Throws `Oci2isoError` LEVEL_OUT_OF_RANGE (usage) naming the range. */
export function checkedLevel(codec: CodecName, level: number | undefined): number {
	const { levels, defaultLevel } = codecTable[codec];
	if (level === undefined) return defaultLevel;
	if (levels === undefined) throw levelOutOfRange(codec, level, "no level: it does not compress");
	if (!Number.isInteger(level) || level < levels.min || level > levels.max)
		throw levelOutOfRange(codec, level, `${levels.min} to ${levels.max}`);
	return level;
}

/** Throws `Oci2isoError` INVALID_OPTION (usage) where a filter is asked of a codec that has none. */
export function requireFilter(codec: CodecName, bcj: BranchFilter | undefined): void {
	if (bcj === undefined || codec === "xz") return;
	throw new Oci2isoError({
		code: "INVALID_OPTION",
		kind: "usage",
		what: `the compressor ${codec} has no branch filters`,
		where: "bcj",
		expected: "the compressor xz",
	});
}

export function levelOutOfRange(codec: CodecName, level: number, expected: string): Oci2isoError {
	return new Oci2isoError({
		code: "LEVEL_OUT_OF_RANGE",
		kind: "usage",
		what: `${codec} has no compression level ${level}`,
		expected,
	});
}
