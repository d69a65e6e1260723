import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DigestMap } from "../../../src/binary/digest-map.ts";
import { BlockTable } from "../../../src/content/block-table.ts";

/** Digests that differ in one place only, and many of them in none of the first bytes. */
const digest = fc.tuple(fc.constantFrom(0, 1, 3, 4, 17, 31), fc.nat({ max: 40 })).map(([at, value]) => {
	const bytes = Buffer.alloc(32, 7);
	bytes[at] = value;
	return bytes;
});

describe("a map by digests", () => {
	it.each([0, 4, 12, 24, 28])("is as fast with keys that differ in the bytes from %d on only", (at) => {
		const map = new DigestMap<number>();
		const table = new BlockTable();
		const key = Buffer.alloc(32, 7);
		for (let i = 0; i < 200_000; i++) {
			key.writeUInt32BE(i * 2 ** 13, at);
			map.set(key, i);
			if (table.find(key) < 0) table.add(key, 1);
		}
		// Every one of them in one place would be ten thousand million comparisons.
		expect(map.size).toBe(table.count);
	});

	it("has what a map by their text has", () => {
		fc.assert(
			fc.property(fc.array(fc.tuple(digest, fc.nat()), { maxLength: 200 }), fc.array(digest), (entries, others) => {
				const map = new DigestMap<number>();
				const model = new Map<string, number>();
				for (const [key, value] of entries) {
					const given = Buffer.from(key);
					map.set(given, value);
					given.fill(0);
					model.set(key.toString("hex"), value);
					expect(map.size).toBe(model.size);
				}
				for (const key of [...entries.map(([key]) => key), ...others]) {
					expect(map.get(key)).toBe(model.get(key.toString("hex")));
					expect(map.has(key)).toBe(model.has(key.toString("hex")));
				}
			}),
			{ numRuns: 300 },
		);
	});

	it("grows, and forgets", () => {
		const map = new DigestMap<number>();
		const keyOf = (i: number): Buffer => createHash("sha256").update(String(i)).digest();
		for (let i = 0; i < 20_000; i++) map.set(keyOf(i), i);
		for (let i = 0; i < 20_000; i++) expect(map.get(keyOf(i))).toBe(i);
		expect([map.size, map.has(keyOf(-1)), map.get(keyOf(-1))]).toEqual([20_000, false, undefined]);
		map.clear();
		expect([map.size, map.has(keyOf(1))]).toEqual([0, false]);
		map.set(keyOf(1), 1);
		expect([map.size, map.get(keyOf(1)), map.get(keyOf(2))]).toEqual([1, 1, undefined]);
	});
});
