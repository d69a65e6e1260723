import { byteStringOf } from "../binary/byte-string.ts";
import type { PeImage } from "./pe.ts";

/** Component names and their generations (shim's SBAT.md). */
export type SbatLevels = ReadonlyMap<string, number>;

/** What a program says about itself in `.sbat`, or undefined where it says nothing. */
export function programSbat(program: PeImage): SbatLevels | undefined {
	const section = program.sections.find(({ name }) => name === ".sbat");
	return section === undefined ? undefined : parseLevels(byteStringOf(section.bytes));
}

/** The revocations that a shim brings along in `.sbatlevel`: the ones it applies by itself first, then the latest. */
export function shimSbatLevels(shim: PeImage): SbatLevels[] {
	const section = shim.sections.find(({ name }) => name === ".sbatlevel");
	if (section === undefined) return [];
	const texts = byteStringOf(section.bytes).match(/sbat,1,\d{10}\n(?:[a-z0-9._-]+,\d+\n)*/gi) ?? [];
	return texts.map(parseLevels);
}

function parseLevels(text: string): SbatLevels {
	const levels = new Map<string, number>();
	for (const line of text
		.replace(/\0[\s\S]*$/, "")
		.split("\n")
		.slice(0, 1000)) {
		const [, name, generation] = /^([^,]+),(\d{1,9})(?:,|$)/.exec(line) ?? [];
		if (name !== undefined) levels.set(name, Number(generation));
	}
	return levels;
}

/** Components of a program that are below the levels, as `grub 3 < 4`. */
export function revoked(program: SbatLevels, levels: SbatLevels): string[] {
	return [...program].flatMap(([name, generation]) => {
		const least = levels.get(name) ?? 0;
		return generation < least ? [`${name} ${generation} < ${least}`] : [];
	});
}
