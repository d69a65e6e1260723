import { expect, it } from "vitest";
import { GiB, MiB } from "../../../src/binary/units.ts";
import { layerBoundBytes, treeLimits } from "../../../src/oci/image-limits.ts";

it("a layer may be 1100 times its size, between 4 and 64 GiB, or what was asked for", () => {
	expect(layerBoundBytes(0, undefined)).toBe(4 * GiB);
	expect(layerBoundBytes(3 * MiB, undefined)).toBe(4 * GiB);
	expect(layerBoundBytes(10 * MiB, undefined)).toBe(11_000 * MiB);
	expect(layerBoundBytes(10 * GiB, undefined)).toBe(64 * GiB);
	expect(layerBoundBytes(10 * GiB, 5)).toBe(5);
	expect(layerBoundBytes(1, 100 * GiB)).toBe(100 * GiB);
});

it("the tree's memory is less than the heap", () => {
	const { maxInodes, maxMetadataBytes } = treeLimits(7);
	expect(maxInodes).toBe(7);
	expect(maxMetadataBytes).toBeGreaterThan(64 * MiB);
});
