import { describe, expect, it } from "vitest";
import { decompressGrubCore, findGrubModules } from "../../../../../src/boot/grub/model/modules.ts";
import { GRUB_KERNEL_LZMA, grubKernel, u32 } from "../../../../support/raw-lzma.ts";

describe("GRUB's modules", () => {
	it("are found behind code that mentions their magic number", () => {
		expect(findGrubModules(grubKernel())).toMatchObject({ prefix: "/boot/grub2" });
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
