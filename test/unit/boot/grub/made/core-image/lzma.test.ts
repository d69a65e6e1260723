import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeLzma } from "../../../../../../src/boot/grub/made/core-image/lzma/encode.ts";
import { decodeLzma } from "../../../../../../src/formats/lzma/raw-lzma.ts";
import { noise } from "../../../../../support/noise.ts";
import { bigContent, smallContent } from "./contents.ts";

const SEED = 20_261_121;

async function roundTrip(bytes: Uint8Array): Promise<Uint8Array> {
	const stream = await encodeLzma(bytes);
	const decoded = decodeLzma(stream, bytes.byteLength);
	expect(decoded !== undefined && Buffer.compare(decoded, bytes) === 0).toBe(true);
	return stream;
}

describe("encodeLzma", () => {
	test("keeps any content", async () => {
		const any = fc.oneof(smallContent, fc.uint8Array({ maxLength: 300 }));
		const keeps = fc.asyncProperty(any, async (bytes) => {
			await roundTrip(bytes);
		});
		await fc.assert(keeps, { seed: SEED, numRuns: 400 });
	});

	test("keeps contents larger than its window", async () => {
		const keeps = fc.asyncProperty(bigContent, async (bytes) => {
			await roundTrip(bytes);
		});
		await fc.assert(keeps, { seed: SEED, numRuns: 8 });
	});

	test("keeps the shortest contents", async () => {
		for (const bytes of [[], [0], [255], [7, 7], [7, 7, 7], [1, 2, 1, 2, 1]]) await roundTrip(Uint8Array.from(bytes));
		expect([...(await encodeLzma(new Uint8Array()))]).toEqual([0, 0, 0, 0, 0]);
	});

	test("makes short work of runs and copies", async () => {
		expect((await roundTrip(new Uint8Array(300_000))).byteLength).toBeLessThan(150);
		const block = noise(5000);
		const twice = await roundTrip(Buffer.concat([block, block, block]));
		expect(twice.byteLength).toBeLessThan(5000 * 1.03 + 100);
	});

	test("carries through bytes that were held back", async () => {
		// Of random bytes one in 256 is FF, which the range coder holds back until it knows of a carry.
		for (let i = 0; i < 60; i++) await roundTrip(noise(1500 + i, `carry ${i}`));
	});

	test("pauses on the way, and ends where the pause fails", async () => {
		let pauses = 0;
		const bytes = noise(200_000).map((byte) => byte % 5);
		await encodeLzma(bytes, async () => {
			pauses++;
		});
		expect(pauses).toBeGreaterThan(4);
		await expect(encodeLzma(bytes, () => Promise.reject(new Error("enough")))).rejects.toThrow("enough");
	});
});
