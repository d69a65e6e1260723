import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sparseEntry, ustarHeader } from "../../../../src/formats/tar/header.ts";

const seed = { seed: 1988, numRuns: 300 };
const octal7 = fc.integer({ min: 0, max: 8 ** 7 - 1 });
const octal11 = fc.integer({ min: 0, max: 8 ** 11 - 1 });
const name = (maxLength: number) =>
	fc.array(fc.integer({ min: 1, max: 255 }), { maxLength }).map((codes) => String.fromCharCode(...codes));

describe("tar header tables", () => {
	it("decode what they encode", () => {
		const values = fc.record({
			name: name(100),
			mode: octal7,
			uid: fc.maxSafeNat(),
			gid: fc.integer({ min: -(2 ** 31), max: 2 ** 31 }),
			size: fc.maxSafeNat(),
			mtime: fc.maxSafeInteger(),
			chksum: octal7,
			typeflag: fc.integer({ min: 0, max: 255 }),
			linkname: name(100),
			magic: fc.constantFrom("ustar\x0000", "ustar  ", ""),
			uname: name(32),
			gname: name(32),
			devmajor: octal7,
			devminor: octal7,
			prefix: name(155),
		});
		fc.assert(
			fc.property(values, (header) => {
				expect(ustarHeader.decode(ustarHeader.encode(header))).toEqual(header);
			}),
			seed,
		);
	});

	const decodeSize = (bytes: Buffer): number => {
		const block = Buffer.alloc(512);
		bytes.copy(block, ustarHeader.fields.size.offset);
		return ustarHeader.decode(block).size;
	};
	const text = (value: string): Buffer => Buffer.from(value, "latin1");

	it.each([
		["all digits", text("777777777777"), 8 ** 12 - 1],
		["leading spaces", text("        644 "), 0o644],
		["leading NULs and trailing spaces", text("\0\0\x00644   \0\0\0"), 0o644],
		["bytes after a NUL are not looked at", text("644\x00abc"), 0o644],
		["nothing", text(""), 0],
		["spaces only", text("            "), 0],
		["a digit that is not octal", text("6448"), Number.NaN],
		["a sign", text("-644"), Number.NaN],
		["base 256", Buffer.from("800000000000000100000000", "hex"), 2 ** 32],
		["base 256, -1", Buffer.from("ffffffffffffffffffffffff", "hex"), -1],
		["base 256, -2^40", Buffer.from("ffffffffffffff0000000000", "hex"), -(2 ** 40)],
		["base 256, 2^53", Buffer.from("800000000020000000000000", "hex"), Number.POSITIVE_INFINITY],
		["base 256, -2^60", Buffer.from("fffffffff000000000000000", "hex"), Number.NEGATIVE_INFINITY],
	])("reads a number: %s", (_, bytes, expected) => expect(decodeSize(bytes)).toBe(expected));

	it("writes octal while it fits and base 256 beyond", () => {
		fc.assert(
			fc.property(octal11, (size) => {
				const field = sparseEntry.encode({ offset: size, numbytes: 0 }).subarray(0, 12);
				expect(field.toString("latin1")).toBe(`${size.toString(8).padStart(11, "0")}\0`);
			}),
			seed,
		);
		expect(sparseEntry.encode({ offset: 8 ** 11, numbytes: 0 })[0]).toBe(0x80);
	});
});
