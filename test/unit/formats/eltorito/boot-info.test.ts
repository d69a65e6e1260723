import { describe, expect, it } from "vitest";
import {
	bootImageChecksum,
	bootInfoTable,
	hasGrub2BootInfo,
	patchBootImage,
	patchBootInfoTable,
	patchGrub2BootInfo,
} from "../../../../src/formats/eltorito/boot-info.ts";

const image = Buffer.from(Array.from({ length: 3001 }, (_, i) => (i * 7 + 3) % 256));

describe("the boot information table", () => {
	it("sums the 32-bit words from byte 64 on, the last one filled with zeros", () => {
		const small = Buffer.alloc(71, 0xff);
		small.writeUInt32LE(0xfffffff0, 64);
		small.set([1, 2, 3], 68);
		expect(bootImageChecksum(small)).toBe((0xfffffff0 + 0x030201) % 2 ** 32);
		expect(bootImageChecksum(Buffer.alloc(64, 0xff))).toBe(0);
	});

	it("tells place, length and checksum, and leaves the rest as it was", () => {
		const patched = patchBootInfoTable(image, { pvdBlock: 16, imageBlock: 141 });
		expect(bootInfoTable.decode(patched)).toEqual({
			pvdBlock: 16,
			imageBlock: 141,
			imageByteLength: 3001,
			checksum: bootImageChecksum(image),
		});
		expect(patched.subarray(24, 64).equals(Buffer.alloc(40))).toBe(true);
		expect(patched.subarray(0, 8).equals(image.subarray(0, 8))).toBe(true);
		expect(patched.subarray(64).equals(image.subarray(64))).toBe(true);
		expect(bootInfoTable.decode(bootInfoTable.encode(bootInfoTable.decode(patched)))).toEqual(
			bootInfoTable.decode(patched),
		);
	});

	it("is refused for images that cannot hold it", () => {
		expect(() => patchBootInfoTable(Buffer.alloc(63), { pvdBlock: 16, imageBlock: 1 })).toThrow(/BAD_BOOT_IMAGE/);
		expect(() => patchGrub2BootInfo(Buffer.alloc(2555), 1)).toThrow(/BAD_BOOT_IMAGE/);
	});
});

describe("GRUB's boot information", () => {
	it("is the image's block in units of 512 bytes, and five", () => {
		const patched = patchGrub2BootInfo(image, 2 ** 31);
		expect(patched.readBigUInt64LE(2548)).toBe(2n ** 33n + 5n);
		expect(hasGrub2BootInfo(patched, 2 ** 31)).toBe(true);
		expect(hasGrub2BootInfo(patched, 7)).toBe(false);
		expect(hasGrub2BootInfo(image.subarray(0, 100), 7)).toBe(false);
	});

	it("is covered by the table's checksum", () => {
		const patched = patchBootImage(image, { pvdBlock: 16, imageBlock: 141 });
		expect(hasGrub2BootInfo(patched, 141)).toBe(true);
		expect(bootInfoTable.decode(patched).checksum).toBe(bootImageChecksum(patched));
		expect(bootImageChecksum(patched)).not.toBe(bootImageChecksum(image));
	});
});
