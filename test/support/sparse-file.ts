import { closeSync, lstatSync, openSync, readSync, type Stats } from "node:fs";
import { expect } from "vitest";
import { noise } from "./noise.ts";
import type { ContentPart } from "./trees.ts";

const GiB = 2 ** 30;
const NOISE_BYTES = 300_000;
const END_BYTES = 12_345;

/** Text, a hole of 5 GiB, noise, and a hole at the end. */
export const SPARSE_PARTS: readonly ContentPart[] = [
	Buffer.from("begin"),
	{ hole: 5 * GiB },
	noise(NOISE_BYTES, 1),
	{ hole: END_BYTES },
];

/** Expects the file of these parts at `path`, which the kernel reads; returns what it says of it. */
export function expectSparseFile(path: string): Stats {
	const stat = lstatSync(path);
	expect(stat.size).toBe(5 * GiB + 5 + NOISE_BYTES + END_BYTES);
	const file = openSync(path, "r");
	const at = (position: number, length: number): Buffer => {
		const bytes = Buffer.alloc(length);
		expect(readSync(file, bytes, 0, length, position)).toBe(length);
		return bytes;
	};
	try {
		expect(at(0, 5).toString()).toBe("begin");
		expect(at(5 * GiB + 5, NOISE_BYTES).equals(noise(NOISE_BYTES, 1))).toBe(true);
		for (let i = 1; i < 50; i++) expect(at(i * 100 * 2 ** 20, 1 << 20).equals(Buffer.alloc(1 << 20))).toBe(true);
		expect(at(stat.size - 10, 10).equals(Buffer.alloc(10))).toBe(true);
	} finally {
		closeSync(file);
	}
	return stat;
}
