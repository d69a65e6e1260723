import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeLzma } from "../../../src/grub/core-image/lzma/encode.ts";
import { decodeLzma } from "./lzma-decoder.ts";

const SEED = 20_261_121;

function roundTrip(bytes: Uint8Array): { stream: Uint8Array; farthest: number } {
	const stream = encodeLzma(bytes);
	const decoded = decodeLzma(stream, bytes.byteLength);
	expect(Buffer.compare(decoded.bytes, bytes)).toBe(0);
	return { stream, farthest: decoded.farthest };
}

function noise(byteLength: number, seed = "noise"): Uint8Array {
	return createHash("shake256", { outputLength: byteLength }).update(seed).digest();
}

/** Contents with literals, copies from near and far, repeated distances and runs, as programs have them. */
const content = fc
	.array(
		fc.oneof(
			fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => ({ bytes })),
			fc.record({ back: fc.nat(3000), length: fc.integer({ min: 1, max: 400 }), changed: fc.nat(20) }),
		),
		{ minLength: 1, maxLength: 60 },
	)
	.map((parts) => {
		const out: number[] = [];
		for (const part of parts) {
			if ("bytes" in part) out.push(...part.bytes);
			else {
				const distance = 1 + (part.back % Math.max(1, out.length));
				for (let i = 0; i < part.length; i++) out.push(out.at(-distance) ?? 0);
				if (part.changed > 10) out.push(part.changed);
			}
		}
		return Uint8Array.from(out);
	});

describe("encodeLzma", () => {
	test("keeps any content, and its stream ends where the decoder stops", () => {
		const any = fc.oneof(content, fc.uint8Array({ maxLength: 300 }));
		fc.assert(
			fc.property(any, (bytes) => {
				roundTrip(bytes);
			}),
			{ seed: SEED, numRuns: 400 },
		);
	});

	test("keeps the shortest contents", () => {
		for (const bytes of [[], [0], [255], [7, 7], [7, 7, 7], [1, 2, 1, 2, 1]]) roundTrip(Uint8Array.from(bytes));
		expect([...encodeLzma(new Uint8Array())]).toEqual([0, 0, 0, 0, 0]);
	});

	test("makes short work of runs and copies", () => {
		expect(roundTrip(new Uint8Array(300_000)).stream.byteLength).toBeLessThan(150);
		const block = noise(5000);
		const twice = roundTrip(Buffer.concat([block, block, block]));
		expect(twice.stream.byteLength).toBeLessThan(5000 * 1.03 + 100);
		expect(twice.farthest).toBe(5000);
	});

	test("copies from 64 KiB before, and no farther", () => {
		const block = noise(600);
		const repeatedAfter = (distance: number) =>
			roundTrip(Buffer.concat([block, noise(distance - 600, "between"), block]));
		expect(repeatedAfter(65_536).farthest).toBe(65_536);
		const beyond = repeatedAfter(65_537);
		expect(beyond.farthest).toBeLessThan(65_536);
		expect(beyond.stream.byteLength).toBeGreaterThan(65_537);
	});

	test("carries through bytes that were held back", () => {
		// Of random bytes one in 256 is FF, which the range coder holds back until it knows of a carry.
		for (let i = 0; i < 60; i++) roundTrip(noise(1500 + i, `carry ${i}`));
	});

	test("gives the same stream everywhere", () => {
		const text = Array.from({ length: 3000 }, (_, i) => `${(i * i) % 977} ${i % 13}\n`).join("");
		const { stream } = roundTrip(Buffer.from(text));
		const digest = createHash("sha256").update(stream).digest("hex");
		expect([stream.byteLength, digest]).toMatchInlineSnapshot(`
			[
			  5294,
			  "1b1b4a9020aee44dc8b014b5078a53529d384707f0e649811cda6a6371b92ef2",
			]
		`);
	});
});
