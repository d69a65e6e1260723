import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parsePaxInt64, parsePaxInteger, parsePaxRecords, parsePaxTime } from "../../../../src/formats/tar/pax.ts";
import { paxRecord } from "../../../support/tar-fixtures.ts";

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");
const malformed = (text: string): unknown => parsePaxRecords(bytes(text));

describe("parsePaxRecords", () => {
	it("reads back any keyword and any bytes", () => {
		const keyword = fc.string({ minLength: 1, maxLength: 300 }).map((text) => text.replace(/[^!-<>-~]/g, "k"));
		const value = fc.uint8Array({ maxLength: 2000 }).map((array) => Buffer.from(array).toString("latin1"));
		fc.assert(
			fc.property(fc.array(fc.tuple(keyword, value), { maxLength: 5 }), (pairs) => {
				const records = parsePaxRecords(Buffer.concat(pairs.map(([key, text]) => paxRecord(key, text))));
				if (!Array.isArray(records)) throw new Error("malformed");
				expect(records.map((r) => [r.keyword, Buffer.from(r.value).toString("latin1")])).toEqual(pairs);
			}),
			{ seed: 2001, numRuns: 300 },
		);
	});

	it.each([
		["no length", " a=b\n"],
		["length zero", "0 a=b\n"],
		["a length that is too short", "5 a=b\n"],
		["a length that is too long", "7 a=b\n"],
		["a length beyond the header", "99999 a=b\n"],
		["a length of many digits", "0000000000000000006 a=b\n"],
		["a signed length", "+6 a=b\n"],
		["no space", "6a=bb\n"],
		["no equals sign", "6 abb\n"],
		["an equals sign in the next record only", "6 abb\n6 a=b\n"],
		["no keyword", "6 =bb\n"],
		["no newline", "6 a=bb"],
		["a NUL in the keyword", "7 a\0=b\n"],
		["only a length", "2 "],
	])("refuses %s", (_, text) => {
		expect(malformed(text)).toEqual({ malformedAt: 0 });
		expect(malformed(`6 x=y\n${text}`)).toEqual({ malformedAt: 6 });
	});
});

describe("PAX values", () => {
	it.each([
		["0", 0, 0],
		["1700000000", 1_700_000_000, 0],
		["12.5", 12, 500_000_000],
		["12.", 12, 0],
		["12.1234567899", 12, 123_456_789],
		["-1", -1, 0],
		["-0", 0, 0],
		["-0.25", -1, 750_000_000],
		["-1.5", -2, 500_000_000],
		["8589934592.000000001", 8_589_934_592, 1],
	])("reads the time %s", (text, seconds, nanoseconds) =>
		expect(parsePaxTime(text)).toStrictEqual({ seconds, nanoseconds }),
	);

	it.each(["", "x", "1e9", ".5", "--1", "1.2.3", " 1", "99999999999999999999", "9007199254740993"])(
		"refuses the time %j",
		(text) => expect(parsePaxTime(text)).toBeUndefined(),
	);

	it("reads integers of 64 bits", () => {
		expect(parsePaxInt64("9223372036854775807")).toBe(2n ** 63n - 1n);
		expect(parsePaxInt64("-9223372036854775808")).toBe(-(2n ** 63n));
		expect(parsePaxInt64("+5")).toBe(5n);
		for (const text of ["9223372036854775808", "-9223372036854775809", "", "-", "+-1", "0x1", "1 ", "0".repeat(21)])
			expect(parsePaxInt64(text)).toBeUndefined();
	});

	it("reads integers up to 2^53", () => {
		expect(parsePaxInteger("9007199254740991")).toBe(Number.MAX_SAFE_INTEGER);
		expect(parsePaxInteger("-5")).toBe(-5);
		for (const text of ["9007199254740992", "", "0x10", "1.0", "1 ", "+1"]) expect(parsePaxInteger(text)).toBeNaN();
	});
});
