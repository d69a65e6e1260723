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

/** Reads `true` or `false`, or what podman and skopeo take for them. */
export function parseBoolean(text: string): boolean {
	const isTrue = /^(1|t|T|true|True|TRUE)$/.test(text);
	if (!isTrue && !/^(0|f|F|false|False|FALSE)$/.test(text)) throw new InvalidArgumentError("expected true or false.");
	return isTrue;
}

/** `4:07` or `1:04:07`, for people. */
export function formatDuration(seconds: number): string {
	const whole = Math.max(0, Math.round(seconds));
	const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
	const shown = parts[0] === 0 ? parts.slice(1) : parts;
	return shown.map((part, index) => (index === 0 ? `${part}` : `${part}`.padStart(2, "0"))).join(":");
}
