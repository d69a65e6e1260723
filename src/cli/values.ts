import { InvalidArgumentError } from "commander";

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** Reads `131072`, `128K`, `1M` or `4G` (binary units, either case) as bytes. */
export function parseSize(text: string): number {
	const match = /^(\d{1,15})([KMG]?)(?:i?B)?$/i.exec(text.trim());
	const unit = UNITS[match?.[2]?.toUpperCase() ?? "none"];
	if (match?.[1] === undefined || unit === undefined) {
		throw new InvalidArgumentError("expected a size such as 131072, 128K or 1M.");
	}
	return Number(match[1]) * unit;
}

/** Reads a whole number in decimal. */
export function parseInteger(text: string): number {
	if (!/^-?\d{1,15}$/.test(text)) throw new InvalidArgumentError("expected a whole number.");
	return Number(text);
}

/** Reads a whole number of at least 1. */
export function parseCount(text: string): number {
	const value = parseInteger(text);
	if (value < 1) throw new InvalidArgumentError("expected a whole number of at least 1.");
	return value;
}

/** Reads `true` or `false`. */
export function parseBoolean(text: string): boolean {
	if (text !== "true" && text !== "false") throw new InvalidArgumentError("expected true or false.");
	return text === "true";
}

/** `1.4 GiB`, for people. */
export function formatSize(bytes: number): string {
	const units = ["B", "KiB", "MiB", "GiB", "TiB"];
	const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
	return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}
