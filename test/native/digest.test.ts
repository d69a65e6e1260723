import { createHash, randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KiB } from "../../src/binary/units.ts";
import { backgroundInflater, type StreamDigests } from "../../src/native/background-inflater.ts";
import { addonMissing, nativeAddon } from "./addon-required.ts";

const noise = randomBytes(300 * KiB);
const hexOf = (algorithm: string, bytes: Uint8Array) => createHash(algorithm).update(bytes).digest("hex");

/** Ends of the pieces that some bytes come in, as parts of their length. */
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 });
/** Some of `noise`: any length, at any alignment. */
const someBytes = fc
	.tuple(fc.nat(70), fc.oneof(fc.nat(300), fc.nat(200 * KiB)))
	.map(([at, length]) => noise.subarray(at, at + length));

function piecesOf(bytes: Uint8Array, parts: readonly number[]): Uint8Array[] {
	const ends = [...parts.map((part) => Math.floor(part * bytes.byteLength)), bytes.byteLength].sort((a, b) => a - b);
	return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

describe.skipIf(addonMissing)("sha256 of whole bytes", () => {
	it("writes node's digests where it is told to, and nothing else", () => {
		const { sha256, sha256Pair } = nativeAddon();
		fc.assert(
			fc.property(someBytes, someBytes, fc.nat(40), (a, b, offset) => {
				const output = new Uint8Array(offset + 70).fill(0xee);
				sha256(a, output, offset);
				expect(Buffer.from(output.subarray(offset, offset + 32)).toString("hex")).toBe(hexOf("sha256", a));
				expect(output.subarray(offset + 32).every((byte) => byte === 0xee)).toBe(true);
				sha256Pair(a, b, output, offset);
				expect(Buffer.from(output.subarray(offset, offset + 64)).toString("hex")).toBe(
					hexOf("sha256", a) + hexOf("sha256", b),
				);
				expect(output.subarray(0, offset).every((byte) => byte === 0xee)).toBe(true);
				expect(output.subarray(offset + 64).every((byte) => byte === 0xee)).toBe(true);
			}),
			{ numRuns: 150 },
		);
	});

	it("are node's for every length around a block", () => {
		const { sha256Pair } = nativeAddon();
		const output = Buffer.alloc(64);
		for (let length = 0; length <= 300; length++) {
			const a = noise.subarray(length, 2 * length);
			const b = noise.subarray(7, 307 - length);
			sha256Pair(a, b, output, 0);
			expect(output.toString("hex")).toBe(hexOf("sha256", a) + hexOf("sha256", b));
		}
	});

	it("may write into the bytes that it digests", () => {
		const { sha256Pair } = nativeAddon();
		const bytes = Buffer.from(noise.subarray(0, 500));
		const expected = hexOf("sha256", bytes) + hexOf("sha256", bytes.subarray(10, 300));
		sha256Pair(bytes, bytes.subarray(10, 300), bytes, 20);
		expect(bytes.toString("hex", 20, 84)).toBe(expected);
	});
});

describe.skipIf(addonMissing)("digests of a layer's two sides", () => {
	it("are right for any chunks and algorithms", async () => {
		const inflate = backgroundInflater();
		if (inflate === undefined) throw new Error("the addon cannot digest");
		const algorithm = fc.constantFrom("sha256" as const, "sha256" as const, "sha512" as const, undefined);
		await fc.assert(
			fc.asyncProperty(someBytes, cuts, algorithm, algorithm, async (bytes, parts, inputDigest, outputDigest) => {
				async function* chunks() {
					yield* piecesOf(bytes, parts);
				}
				const archive = inflate(chunks(), { format: "none", inputDigest, outputDigest, failure: String });
				let digests: StreamDigests | undefined;
				for (let next = await archive.next(); digests === undefined; next = await archive.next())
					if (next.done === true) digests = next.value;
				expect(digests).toEqual({
					input: inputDigest === undefined ? "" : hexOf(inputDigest, bytes),
					output: outputDigest === undefined ? "" : hexOf(outputDigest, bytes),
				});
			}),
			{ numRuns: 100 },
		);
	});

	it("are right for more than 2 ** 32 bits", { timeout: 120_000 }, async () => {
		const hash = createHash("sha256");
		async function* chunks() {
			for (let i = 0; i < 1800; i++) {
				hash.update(noise);
				yield noise;
			}
		}
		const options = { format: "none", inputDigest: "sha256", outputDigest: "sha256", failure: String } as const;
		const archive = backgroundInflater()?.(chunks(), options);
		let next = await archive?.next();
		while (next?.done === false) next = await archive?.next();
		const digest = hash.digest("hex");
		expect(next?.value).toEqual({ input: digest, output: digest });
	});

	it("go on when a reader keeps all slots but one, whatever their number", async () => {
		const { LayerInflater } = nativeAddon();
		for (const [inputCount, outputCount] of [
			[1, 1],
			[1, 4],
			[4, 1],
			[3, 5],
		] as const) {
			const slots = (count: number) => Array.from({ length: count }, () => Buffer.alloc(1000));
			const inputs = slots(inputCount);
			const outputs = slots(outputCount);
			let ring = (): void => undefined;
			const inflater = new LayerInflater("none", 27, "sha256", "sha256", inputs, outputs, () => ring(), 0, []);
			const blob = noise.subarray(0, 50_000);
			const output = new Int32Array(3);
			const kept: number[] = [];
			let written = 0;
			let ended = false;
			for (;;) {
				const rung = new Promise<void>((resolve) => {
					ring = resolve;
				});
				for (let slot = 0; written < blob.byteLength && slot >= 0; ) {
					slot = inflater.acquire();
					if (slot < 0) break;
					const length = Math.min(700, blob.byteLength - written);
					inputs[slot]?.set(blob.subarray(written, written + length));
					inflater.write(slot, length);
					written += length;
				}
				if (written === blob.byteLength && !ended) {
					ended = true;
					inflater.end();
				}
				const answer = inflater.take(output);
				if (answer === 2) break;
				if (answer === 1) {
					kept.push(output[0] ?? -1);
					if (kept.length >= outputCount) inflater.release(kept.shift() ?? -1);
					continue;
				}
				expect(answer).toBe(0);
				await rung;
			}
			expect(inflater.digests()).toEqual([hexOf("sha256", blob), hexOf("sha256", blob)]);
			inflater.close();
		}
	});
});
