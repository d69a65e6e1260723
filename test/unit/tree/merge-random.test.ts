import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Oci2isoError } from "../../../src/errors.ts";
import { roundsOf } from "../../support/slow.ts";
import { readTar, tarArchive } from "../../support/tar-fixtures.ts";
import { arbitraryLayers, mergeEntries, mergeLayers, neededBodies, rowsOf } from "./layers.ts";
import { applicableLayers, modelRows } from "./model.ts";

describe("TreeMerger on random layers", () => {
	it("makes the tree that applying the layers one after the other makes", () => {
		fc.assert(
			fc.property(arbitraryLayers, (layers) => {
				const applicable = applicableLayers(layers);
				const entries = applicable.map((members) => readTar(tarArchive(members)));
				const expected = modelRows(entries);
				expect(rowsOf(mergeEntries(entries).tree.root)).toEqual(expected);
			}),
			{ seed: 20240203, numRuns: roundsOf(400) },
		);
	});

	it("refuses exactly the layers that cannot be applied", () => {
		let refused = 0;
		fc.assert(
			fc.property(arbitraryLayers, (layers) => {
				const entries = layers.map((members) => readTar(tarArchive(members)));
				const expected = modelRows(entries);
				if (expected !== undefined) {
					expect(rowsOf(mergeEntries(entries).tree.root)).toEqual(expected);
					return;
				}
				refused++;
				expect(() => mergeEntries(entries)).toThrow(Oci2isoError);
			}),
			{ seed: 4711, numRuns: roundsOf(1500) },
		);
		expect(refused).toBeGreaterThan(100);
	});

	it("says about each entry whether to keep it", () => {
		let disproved = 0;
		let spared = 0;
		fc.assert(
			fc.property(arbitraryLayers, (layers) => {
				const { tree, stored, skipped } = mergeLayers(applicableLayers(layers));
				const needed = neededBodies(tree.root);
				disproved += needed.filter((body) => skipped.has(body)).length;
				spared += [...skipped].filter((body) => !needed.includes(body)).length;
				for (const body of needed) expect(stored.has(body) || skipped.has(body)).toBe(true);
			}),
			{ seed: 99, numRuns: 300 },
		);
		// Both outcomes of the guess were met.
		expect(disproved).toBeGreaterThan(0);
		expect(spared).toBeGreaterThan(disproved);
	});
});
