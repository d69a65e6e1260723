import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeLz4Block } from "../../../src/codec/lz4-block.ts";

const seed = 20;

function decode(block: Uint8Array, capacity: number): Buffer | undefined {
	const output = Buffer.alloc(capacity);
	const length = decodeLz4Block(block, output);
	return length === undefined ? undefined : output.subarray(0, length);
}

/** A length of 15 or more behind a token. */
function continued(length: number): Buffer {
	if (length < 15) return Buffer.alloc(0);
	const rest = length - 15;
	return Buffer.from([...Array<number>(Math.floor(rest / 255)).fill(255), rest % 255]);
}

interface Sequence {
	readonly literals: Uint8Array;
	readonly distance: number;
	readonly match: number;
}

function encodeSequence({ literals, distance, match }: Sequence): Buffer {
	const token = (Math.min(literals.byteLength, 15) << 4) | Math.min(match - 4, 15);
	return Buffer.concat([
		Buffer.from([token]),
		continued(literals.byteLength),
		literals,
		Buffer.from([distance & 255, distance >> 8]),
		continued(match - 4),
	]);
}

function lastLiterals(literals: Uint8Array): Buffer {
	return Buffer.concat([
		Buffer.from([Math.min(literals.byteLength, 15) << 4]),
		continued(literals.byteLength),
		literals,
	]);
}

describe("decodeLz4Block", () => {
	it("follows sequences of literals and matches, overlapping ones too", () => {
		const sequence = fc.record({
			literals: fc.uint8Array({ minLength: 1, maxLength: 600 }),
			distance: fc.integer({ min: 1, max: 700 }),
			match: fc.integer({ min: 4, max: 900 }),
		});
		fc.assert(
			fc.property(fc.array(sequence, { maxLength: 6 }), fc.uint8Array({ maxLength: 300 }), (sequences, tail) => {
				const expected: number[] = [];
				const parts: Buffer[] = [];
				for (const { literals, distance, match } of sequences) {
					expected.push(...literals);
					const reach = Math.min(distance, expected.length);
					for (let i = 0; i < match; i++) expected.push(expected[expected.length - reach] ?? 0);
					parts.push(encodeSequence({ literals, distance: reach, match }));
				}
				expected.push(...tail);
				const block = Buffer.concat([...parts, lastLiterals(tail)]);
				expect(decode(block, expected.length)).toEqual(Buffer.from(expected));
				if (expected.length > 0) expect(decode(block, expected.length - 1)).toBeUndefined();
			}),
			{ seed, numRuns: 200 },
		);
	});

	it.each([
		["nothing", ""],
		["a token without its literals", "50414243"],
		["a length that does not end", "f0ffffff"],
		["half a distance", "104101"],
		["distance 0", "10410000"],
		["a distance before the start", "10410200"],
		["a match at the end", "10410100"],
	])("refuses %s", (_, hex) => {
		expect(decode(Buffer.from(hex, "hex"), 100)).toBeUndefined();
	});

	it("never leaves the output, whatever the bytes", () => {
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(300), (block, capacity) => {
				const guarded = Buffer.alloc(capacity + 64, 0xa5);
				const length = decodeLz4Block(block, guarded.subarray(0, capacity));
				expect(length ?? 0).toBeLessThanOrEqual(capacity);
				expect(guarded.subarray(capacity).every((byte) => byte === 0xa5)).toBe(true);
			}),
			{ seed, numRuns: 2000 },
		);
	});
});
