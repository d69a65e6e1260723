import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { squarify } from "../../../src/page/squarify.ts";

describe("squarify", () => {
	it("lays out the example of its inventors", () => {
		const placed = squarify([6, 6, 4, 3, 2, 2, 1], 24, { x: 0, y: 0, width: 6, height: 4 });
		expect(placed.slice(0, 3)).toEqual([
			{ x: 0, y: 0, width: 3, height: 2 },
			{ x: 0, y: 2, width: 3, height: 2 },
			expect.objectContaining({ x: 3, y: 0 }),
		]);
	});

	it("gives every size its area, inside and apart from the others", () => {
		const sizes = fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1, maxLength: 40 });
		fc.assert(
			fc.property(sizes, fc.integer({ min: 1, max: 900 }), fc.integer({ min: 1, max: 900 }), (given, width, height) => {
				const sorted = given.sort((a, b) => b - a);
				const total = sorted.reduce((sum, size) => sum + size, 0);
				const placed = squarify(sorted, total, { x: 0, y: 0, width, height });
				for (const [index, { x, y, width: w, height: h }] of placed.entries()) {
					expect(w * h).toBeCloseTo((width * height * (sorted[index] ?? 0)) / total, 4);
					expect(x).toBeGreaterThan(-1e-6);
					expect(y).toBeGreaterThan(-1e-6);
					expect(x + w).toBeLessThan(width + 1e-6);
					expect(y + h).toBeLessThan(height + 1e-6);
				}
				expect(placed).toHaveLength(sorted.length);
			}),
		);
	});
});
