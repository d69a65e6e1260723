import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeLzma } from "../../../../src/formats/lzma/raw-lzma.ts";
import { GRUB_KERNEL_LZMA, grubKernel, MATCHES_LZMA, matches } from "../../../support/raw-lzma.ts";

describe("raw LZMA", () => {
	it("decodes what liblzma encoded", () => {
		expect(decodeLzma(GRUB_KERNEL_LZMA, grubKernel().byteLength)).toEqual(Uint8Array.from(grubKernel()));
		const decoded = decodeLzma(MATCHES_LZMA, matches().byteLength);
		expect(decoded !== undefined && matches().equals(decoded)).toBe(true);
	});

	it("gives up on damage and on streams that are too short", () => {
		const byteLength = matches().byteLength;
		expect(decodeLzma(MATCHES_LZMA.subarray(0, 300), byteLength)).toBeUndefined();
		expect(decodeLzma(Buffer.from([1, 2, 3, 4, 5, 6]), 10)).toBeUndefined();
		fc.assert(
			fc.property(fc.nat(MATCHES_LZMA.byteLength - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
				const damaged = Buffer.from(MATCHES_LZMA);
				damaged[at] = (damaged[at] ?? 0) ^ change;
				const decoded = decodeLzma(damaged, byteLength);
				expect(decoded === undefined || decoded.byteLength === byteLength).toBe(true);
			}),
			{ seed: 1, numRuns: 100 },
		);
	});
});
