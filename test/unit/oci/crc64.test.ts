import { describe, expect, it } from "vitest";
import { Crc64 } from "../../../src/oci/storage/crc64.ts";

/** Bit by bit. */
function slowly(bytes: Uint8Array): string {
	let crc = 0xffff_ffff_ffff_ffffn;
	for (const byte of bytes) {
		crc ^= BigInt(byte);
		for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ ((crc & 1n) * 0xd800_0000_0000_0000n);
	}
	return (crc ^ 0xffff_ffff_ffff_ffffn).toString(16).padStart(16, "0");
}

const bytes = Buffer.from(Array.from({ length: 2000 }, (_, i) => (i * i * 31 + (i >> 3)) & 0xff));

describe("CRC-64", () => {
	it("has the published check value", () => {
		const checksum = new Crc64();
		checksum.update(Buffer.from("123456789"));
		// CRC-64/GO-ISO of the catalogue of parametrised CRC algorithms
		expect(checksum.finish().toString("hex")).toBe("b90956c775a41001");
	});

	it.each([0, 1, 7, 8, 15, 127, 128, 511, 512, 513, 640, 1001, 2000])(
		"of %i bytes is the same however they come, wherever they lie, and by whatever means",
		(length) => {
			const expected = slowly(bytes.subarray(2000 - length));
			for (const step of [1, 100, 600, 2000]) {
				const checksum = new Crc64();
				for (let again = 0; again < 2; again++) {
					for (let at = 2000 - length; at < 2000; at += step) checksum.update(bytes.subarray(at, at + step));
					expect(checksum.finish().toString("hex")).toBe(expected);
				}
			}
		},
	);
});
