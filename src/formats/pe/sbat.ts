/** One line of a program's `.sbat` section: `component,generation,vendor,package,version,URL` (shim's SBAT.md). */
export interface SbatEntry {
	readonly component: string;
	readonly generation: number;
	readonly vendor: string;
	readonly version: string;
}

/** A generation below which a component is revoked. */
export interface SbatLevel {
	readonly component: string;
	readonly minimumGeneration: number;
}

const MAX_LINES = 256;

/**
 * The newest revocation that shim's project publishes (github.com/rhboot/shim, SbatLevel_Variable.txt, 72fd4b70): firmwares that have it
 * refuse older generations whatever the shim on the medium says.
 */
export const PUBLISHED_SBAT_LEVEL = { date: "2025-05-10", text: "sbat,1,2025051000\nshim,4\ngrub,5\ngrub.proxmox,2\n" };

/**
 * The newest generations that distributions ship: Debian 13's grub2 2.12-9+deb13u4 of September 2026 (its changelog: 6 in November 2025, 7 in
 * September 2026) and shim 16.1. What is below has faults that a later revocation may name, although no published one does.
 */
export const NEWEST_SBAT_GENERATIONS: readonly SbatLevel[] = [
	{ component: "grub", minimumGeneration: 7 },
	{ component: "shim", minimumGeneration: 4 },
];

export function parseSbat(section: Uint8Array): SbatEntry[] {
	return linesOf(section).flatMap((line) => {
		const [component = "", generation = "", vendor = "", , version = ""] = line.split(",");
		return /^\d{1,9}$/.test(generation) ? [{ component, generation: Number(generation), vendor, version }] : [];
	});
}

/** The levels that a shim applies by itself, from its section `.sbatlevel`. None where there is no such section. */
export function automaticSbatLevels(section: Uint8Array): SbatLevel[] {
	return levelsAt(section, 4);
}

/** The newest levels that a shim brings along, which it applies when it is told to. */
export function latestSbatLevels(section: Uint8Array): SbatLevel[] {
	return levelsAt(section, 8);
}

/**
 * `.sbatlevel` is a format version, then the offsets of two texts from behind it (automatic, latest), each `sbat,1,DATE` and lines of
 * `component,generation`.
 */
function levelsAt(section: Uint8Array, offsetAt: 4 | 8): SbatLevel[] {
	const bytes = Buffer.from(section.buffer, section.byteOffset, section.byteLength);
	if (bytes.byteLength < 12 || bytes.readUInt32LE(0) !== 0) return [];
	const start = 4 + bytes.readUInt32LE(offsetAt);
	if (start >= bytes.byteLength) return [];
	return parseSbatLevels(bytes.subarray(start));
}

export function parseSbatLevels(text: Uint8Array): SbatLevel[] {
	return linesOf(text).flatMap((line) => {
		const [component = "", generation = ""] = line.split(",");
		return /^\d{1,9}$/.test(generation) ? [{ component, minimumGeneration: Number(generation) }] : [];
	});
}

/** The entries that the levels revoke, each with the generation that is asked of it. */
export function revokedBy(entries: readonly SbatEntry[], levels: readonly SbatLevel[]): (SbatEntry & SbatLevel)[] {
	return entries.flatMap((entry) => {
		const level = levels.find(
			({ component, minimumGeneration }) => component === entry.component && entry.generation < minimumGeneration,
		);
		return level === undefined ? [] : [{ ...entry, ...level }];
	});
}

function linesOf(section: Uint8Array): string[] {
	const bytes = Buffer.from(section.buffer, section.byteOffset, section.byteLength);
	const end = bytes.indexOf(0);
	return bytes
		.toString("utf8", 0, end < 0 ? bytes.byteLength : end)
		.split("\n")
		.filter((line) => line !== "")
		.slice(0, MAX_LINES);
}
