import { describe, expect, it } from "vitest";
import { sorting } from "../../../src/binary/sorting.ts";
import { atOnce } from "../../../src/binary/turns.ts";

interface Item {
	readonly key: number;
	readonly place: number;
}

const byKey = (a: Item, b: Item): number => a.key - b.key;

function itemsOf(keys: readonly number[]): Item[] {
	return keys.map((key, place) => ({ key, place }));
}

describe("sorting in steps", () => {
	it.each([0, 1, 511, 512, 513, 1024, 1025, 5000])(
		"sorts %d elements as the engine does, equal ones in order",
		(count) => {
			const items = itemsOf(Array.from({ length: count }, (_, i) => Math.imul(i, 0x9e37_79b1) >>> 26));
			const before = [...items];
			expect(atOnce(sorting(items, byKey))).toEqual([...items].sort(byKey));
			expect(items).toEqual(before);
		},
	);

	it("takes many steps for many elements", () => {
		let steps = 0;
		for (const _ of sorting(
			Array.from({ length: 100_000 }, (_, i) => -i),
			(a, b) => a - b,
		))
			steps++;
		expect(steps).toBeGreaterThan(10_000);
	});
});
