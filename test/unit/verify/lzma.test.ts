import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decompressGrubCore, findGrubModules } from "../../../src/verify/grub-modules.ts";
import { decodeLzma } from "../../../src/verify/lzma.ts";
import { GRUB_KERNEL_LZMA, grubKernel, MATCHES_LZMA, matches, u32 } from "../../support/verify-lzma.ts";

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

describe("GRUB's modules", () => {
	it("are found behind code that mentions their magic number", () => {
		expect(findGrubModules(grubKernel())).toEqual({ prefix: "/boot/grub2", embedded: [] });
		expect(findGrubModules(Buffer.from("mimg is all there is"))).toBeUndefined();
	});

	it("come out of a core image, with the decompressor's length given or not", () => {
		const head = Buffer.concat([Buffer.alloc(8), u32(GRUB_KERNEL_LZMA.byteLength), u32(grubKernel().byteLength)]);
		const decompressor = Buffer.concat([head, Buffer.alloc(500)]);
		const core = Buffer.concat([decompressor, GRUB_KERNEL_LZMA]);
		expect(decompressGrubCore(core, undefined)).toEqual(Uint8Array.from(grubKernel()));
		const padded = Buffer.concat([core, Buffer.alloc(77)]);
		expect(decompressGrubCore(padded, undefined)).toBeUndefined();
		expect(decompressGrubCore(padded, decompressor.byteLength)).toEqual(Uint8Array.from(grubKernel()));
	});
});
