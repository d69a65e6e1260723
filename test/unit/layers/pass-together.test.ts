import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type LayerRequest, passTogether } from "../../../src/layers/pass-together.ts";
import type { Digest } from "../../../src/oci/digest.ts";
import type { Layer } from "../../../src/oci/layer.ts";

/** Passes that ask for all their layers, from the top down, and what was read for whom. */
async function readsOf(images: readonly (readonly string[])[], failing?: string): Promise<LayerRequest[][]> {
	const reads: LayerRequest[][] = [];
	const layers = images.map((names) => names.map((digest) => ({ digest }) as unknown as Layer));
	await passTogether(
		layers.map((own) => ({
			layers: own,
			async run(read) {
				for (const [number, layer] of [...own.entries()].reverse()) await read(number, layer, () => true);
			},
		})),
		async (requests) => {
			reads.push([...requests]);
			await null;
			if (requests[0]?.layer.digest === (failing as Digest | undefined)) throw new Error("unreadable");
			return [];
		},
	);
	return reads;
}

const namesOf = (reads: readonly LayerRequest[][]): string[] =>
	reads.map((requests) => `${requests[0]?.layer.digest} ${requests.map(({ pass }) => pass).join("")}`);

describe("passes over layers of several images", () => {
	it("read what they have in common once, whatever each has above it", async () => {
		const images = [
			["base", "tools", "a"],
			["base", "tools", "b1", "b2"],
			["base", "c"],
		];
		expect(namesOf(await readsOf(images))).toEqual(["a 0", "b2 1", "b1 1", "tools 01", "c 2", "base 012"]);
	});

	it("read a layer again where orders contradict each other", async () => {
		expect(
			namesOf(
				await readsOf([
					["x", "y"],
					["y", "x"],
				]),
			),
		).toEqual(["y 0", "x 01", "y 1"]);
	});

	it("give each pass its layers from the top down, and end", async () => {
		const image = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "e"));
		await fc.assert(
			fc.asyncProperty(fc.array(image, { maxLength: 4 }), async (images) => {
				const reads = await readsOf(images);
				for (const [pass, names] of images.entries()) {
					const own = reads.flat().filter((request) => request.pass === pass);
					expect(own.map(({ layer }) => layer.digest as string)).toEqual([...names].reverse());
				}
				for (const requests of reads) expect(new Set(requests.map(({ layer }) => layer.digest)).size).toBe(1);
			}),
		);
	});

	it("end all with the first failure", async () => {
		await expect(
			readsOf(
				[
					["base", "a"],
					["base", "b"],
				],
				"b",
			),
		).rejects.toThrow("unreadable");
		await expect(
			readsOf(
				[
					["base", "a"],
					["base", "b"],
				],
				"base",
			),
		).rejects.toThrow("unreadable");
	});
});
