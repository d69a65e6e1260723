import { KiB, MiB } from "../../src/binary/units.ts";
import type { CodecName } from "../../src/codec/types.ts";

/** One way to compress that is weighed. */
export interface Case {
	readonly codec: Exclude<CodecName, "none">;
	readonly level: number;
	readonly blockBytes: number;
}

const BLOCK_SIZES = [128 * KiB, 256 * KiB, 512 * KiB, MiB];
const ENDS = [128 * KiB, MiB];
const QUICK_ZSTD_LEVELS = [1, 3, 4, 5, 6, 7, 9];
const OTHERS: readonly (readonly [Case["codec"], number])[] = [
	["zstd", 12],
	["zstd", 15],
	["zstd", 19],
	["lz4", 0],
	["lz4", 9],
	["gzip", 6],
	["gzip", 9],
	["xz", 6],
];

export const CASES: readonly Case[] = [
	...QUICK_ZSTD_LEVELS.flatMap((level) =>
		BLOCK_SIZES.map((blockBytes) => ({ codec: "zstd" as const, level, blockBytes })),
	),
	...OTHERS.flatMap(([codec, level]) => ENDS.map((blockBytes) => ({ codec, level, blockBytes }))),
];

export function caseName({ codec, level, blockBytes }: Case): string {
	return `${codec} ${level}, ${blockName(blockBytes)}`;
}

export function blockName(blockBytes: number): string {
	return blockBytes < MiB ? `${blockBytes / KiB} KiB` : `${blockBytes / MiB} MiB`;
}

export function caseArguments({ codec, level, blockBytes }: Case): string[] {
	return ["--comp", codec, "--level", String(level), "--block-size", String(blockBytes)];
}
