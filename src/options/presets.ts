import { KiB, MiB } from "../binary/units.ts";
import type { CodecName } from "../codec/types.ts";

export const PRESET_NAMES = ["fast", "balanced", "small", "reference"] as const;

export type PresetName = (typeof PRESET_NAMES)[number];

interface Preset {
	readonly comp: CodecName;
	readonly level: number;
	readonly blockSize: number;
}

/** What is taken where no preset is named. */
export const DEFAULT_PRESET: PresetName = "balanced";

/** Points of the measured front of size, processor time and reading from a cold medium; `reference` is the reference converter's choice. */
export const presets: Readonly<Record<PresetName, Preset>> = {
	fast: { comp: "zstd", level: 3, blockSize: 128 * KiB },
	balanced: { comp: "zstd", level: 6, blockSize: MiB },
	small: { comp: "zstd", level: 19, blockSize: MiB },
	reference: { comp: "zstd", level: 15, blockSize: 128 * KiB },
};
