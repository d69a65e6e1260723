import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byteStringOf, bytesOf, compareByteStrings } from "../../../src/binary/byte-string.ts";
import { ByteWriter } from "../../../src/binary/byte-writer.ts";
import { from0, from1, record } from "../../../src/binary/record.ts";

const example = record("Example", 32, {
	type: from1.u8(1),
	size: from1.u32both(2),
	name: from1.text(10, 6),
	wide: from1.u64le(16),
	raw: from1.bytes(24, 3),
	big: from1.u16be(27),
});

describe("record tables", () => {
	it("encode at the specification's positions", () => {
		const bytes = example.encode({
			type: 1,
			size: 0x01020304,
			name: "CD",
			wide: 5n,
			raw: Buffer.from([7, 8, 9]),
			big: 0x0a0b,
		});
		expect(bytes.toString("hex")).toBe(
			"010403020101020304434420202020" + "0500000000000000" + "070809" + "0a0b" + "00000000",
		);
	});

	it("decode what they encode", () => {
		fc.assert(
			fc.property(
				fc.nat(255),
				fc.nat(2 ** 31 - 1),
				fc.stringMatching(/^[A-Z]{0,6}$/),
				fc.bigInt(0n, 2n ** 64n - 1n),
				fc.uint8Array({ minLength: 3, maxLength: 3 }),
				fc.nat(65535),
				(type, size, name, wide, raw, big) => {
					const values = { type, size, name, wide, raw, big };
					expect(example.decode(Buffer.concat([Buffer.alloc(3), example.encode(values)]), 3)).toEqual(values);
				},
			),
			{ seed: 1 },
		);
	});

	it("refuse overlapping and outlying fields when they are declared", () => {
		expect(() => record("R", 8, { a: from0.u32le(0), b: from0.u16le(3) })).toThrow("overlaps");
		expect(() => record("R", 8, { a: from0.u64le(4) })).toThrow("longer");
	});

	it("refuse values that do not fit", () => {
		const small = record("R", 3, { a: from0.u8(0), b: from0.text(1, 2) });
		expect(() => small.encode({ a: 256, b: "" })).toThrow("fit");
		expect(() => small.encode({ a: -1, b: "" })).toThrow("fit");
		expect(() => small.encode({ a: 1, b: "abc" })).toThrow("fit");
		expect(() => small.decode(Buffer.alloc(2))).toThrow(RangeError);
	});

	it("decode what no exact number can hold as Infinity", () => {
		const wide = record("R", 8, { a: from0.safe64le(0) });
		expect(wide.decode(Buffer.alloc(8, 0xff)).a).toBe(Number.POSITIVE_INFINITY);
		expect(wide.decode(wide.encode({ a: Number.MAX_SAFE_INTEGER })).a).toBe(Number.MAX_SAFE_INTEGER);
	});
});

describe("byte strings", () => {
	it("keep every byte and sort like bytes", () => {
		fc.assert(
			fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
				expect(new Uint8Array(bytesOf(byteStringOf(a)))).toEqual(a);
				expect(Math.sign(compareByteStrings(byteStringOf(a), byteStringOf(b)))).toBe(Math.sign(Buffer.compare(a, b)));
			}),
			{ seed: 2 },
		);
	});
});

describe("ByteWriter", () => {
	it("appends like Buffer.concat, over growth", () => {
		const writer = new ByteWriter(1);
		const parts: Buffer[] = [];
		for (let i = 0; i < 300; i++) {
			writer
				.u8(i & 255)
				.u16le(i)
				.u32le(i)
				.safe64le(i)
				.latin1("ab");
			const part = Buffer.alloc(17);
			part.writeUInt8(i & 255, 0);
			part.writeUInt16LE(i, 1);
			part.writeUInt32LE(i, 3);
			part.writeBigUInt64LE(BigInt(i), 7);
			part.write("ab", 15);
			parts.push(part);
		}
		expect(writer.view().equals(Buffer.concat(parts))).toBe(true);
		expect(writer.align(4096).length).toBe(8192);
	});
});
