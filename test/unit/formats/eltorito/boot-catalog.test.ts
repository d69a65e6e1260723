import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Oci2isoError } from "../../../../src/errors.ts";
import {
	type BootImage,
	decodeBootCatalog,
	encodeBootCatalog,
	loadSectors,
} from "../../../../src/formats/eltorito/boot-catalog.ts";
import { decodeBootRecord, encodeBootRecord } from "../../../../src/formats/eltorito/boot-record.ts";

const image: fc.Arbitrary<BootImage> = fc.record({
	platform: fc.constantFrom("bios" as const, "uefi" as const),
	block: fc.nat(0xffffffff),
	sectorCount: fc.nat(0xffff),
});

describe("the boot catalog", () => {
	it("has the reference's bytes", () => {
		const catalog = encodeBootCatalog([
			{ platform: "bios", block: 141, sectorCount: 4 },
			{ platform: "uefi", block: 35044, sectorCount: loadSectors(20 * 1024 * 1024) },
		]);
		const row = (at: number, length: number) => catalog.subarray(at, at + length).toString("hex");
		expect(row(0, 32)).toBe(`0100${"00".repeat(26)}aa5555aa`);
		expect(row(32, 12)).toBe("8800000000000400" + "8d000000");
		expect(row(64, 4)).toBe("91ef0100");
		expect(row(96, 12)).toBe("88000000000000a0" + "e4880000");
		expect(catalog.byteLength).toBe(2048);
		expect(catalog.subarray(128).every((byte) => byte === 0)).toBe(true);
	});

	it("decodes to what was encoded", () => {
		fc.assert(
			fc.property(image, fc.array(image, { maxLength: 8 }), (first, others) => {
				expect(decodeBootCatalog(encodeBootCatalog([first, ...others]))).toEqual([first, ...others]);
			}),
			{ seed: 1 },
		);
	});

	it("says 0, to the end of the medium, for images beyond 16 bits", () => {
		expect([1, 2048, 2049, 65532 * 512, 65532 * 512 + 1].map(loadSectors)).toEqual([4, 4, 8, 65532, 0]);
	});

	it("is refused with BAD_BOOT_CATALOG when damaged", () => {
		const whole = encodeBootCatalog([
			{ platform: "bios", block: 1, sectorCount: 4 },
			{ platform: "uefi", block: 2, sectorCount: 9 },
		]);
		for (const at of [0, 1, 28, 30, 31, 32, 33, 64, 65, 96, 97]) {
			const bytes = Buffer.from(whole);
			bytes.writeUInt8(bytes.readUInt8(at) ^ 0x04, at);
			expect(() => decodeBootCatalog(bytes), `byte ${at}`).toThrow(Oci2isoError);
		}
		expect(() => decodeBootCatalog(whole.subarray(0, 63))).toThrow(/BAD_BOOT_CATALOG/);
		expect(() => decodeBootCatalog(whole.subarray(0, 96))).toThrow(/BAD_BOOT_CATALOG/);
	});
});

describe("the boot record descriptor", () => {
	it("names the catalog's block", () => {
		const bytes = encodeBootRecord(0x8c);
		expect(bytes.subarray(0, 30).toString("latin1")).toBe("\0CD001\u0001EL TORITO SPECIFICATION");
		expect(bytes.readUInt32LE(0x47)).toBe(0x8c);
		expect(decodeBootRecord(bytes)).toBe(0x8c);
	});

	it("is told from other boot records", () => {
		const bytes = encodeBootRecord(1);
		bytes.write("X", 7);
		expect(decodeBootRecord(bytes)).toBeUndefined();
	});
});
