import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byteStringOf, displayName } from "../../../src/binary/byte-string.ts";
import { printable } from "../../../src/binary/printable.ts";
import { formatProblem, Oci2isoError } from "../../../src/errors.ts";

/** What may not reach a terminal: it moves the cursor, starts a sequence, breaks the line, reorders text or hides in it. */
const HARMFUL = /[\p{Cc}\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\u{e0001}-\u{e007f}]/u;
const anyText = fc.oneof(
	fc.string({ unit: "binary" }),
	fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
	fc
		.array(fc.constantFrom("\u001b[2J", "\u009b", "\u202e", "\ud800", "\udc00", "\r", "\n", "\u{1f600}", "x", "\\"))
		.map((parts) => parts.join("")),
);

describe("printable", () => {
	it("leaves one line without controls, whole characters, and nothing to escape again", () => {
		fc.assert(
			fc.property(anyText, (text) => {
				const shown = printable(text);
				expect(shown).not.toMatch(HARMFUL);
				expect(Buffer.from(shown).toString()).toBe(shown);
				expect(printable(shown)).toBe(shown);
			}),
		);
	});

	it.each([
		["\u001b]0;x\u0007", "\\x1b]0;x\\x07"],
		["a\r\nb\u007f", "a\\x0d\\x0ab\\x7f"],
		["\u009b31m", "\\u{9b}31m"],
		["iso\u202egnp", "iso\\u{202e}gnp"],
		["\ud83d and \ude00", "\\u{d83d} and \\u{de00}"],
		["\u2028\u{e0041}", "\\u{2028}\\u{e0041}"],
		["Größe 字 😀 \\x1b", "Größe 字 😀 \\x1b"],
	])("%j", (text, shown) => expect(printable(text)).toBe(shown));

	it("cuts the middle out of what nobody reads, in lines and in the parts of errors", () => {
		for (const text of ["x".repeat(20_000), "\u{1f600}".repeat(10_000), "\u001b".repeat(9_000)]) {
			const shown = printable(text);
			expect(shown.length).toBeLessThan(16_400);
			expect(shown).toMatch(/\[\.\.\. \d+ characters \.\.\.\]/);
			expect(printable(shown)).toBe(shown);
		}
		const name = `first${"n".repeat(16_000)}last`;
		const { message, problems } = new Oci2isoError({
			code: "X",
			kind: "usage",
			what: `the name "${name}" is too long`,
			where: name,
			problems: [{ code: "Y", what: "y", where: name }],
		});
		for (const text of [message, ...problems.map(formatProblem)]) {
			expect(text.length).toBeLessThan(2300);
			expect(text).toMatch(/first.*characters.*last/);
		}
	});

	it("is in the names of files, whatever their bytes are", () => {
		fc.assert(
			fc.property(fc.uint8Array(), (bytes) => void expect(displayName(byteStringOf(bytes))).not.toMatch(HARMFUL)),
		);
		expect(displayName(byteStringOf(Buffer.from("a\u202e\u009b")))).toBe("a\\u{202e}\\u{9b}");
		expect(displayName("a\u009b\u00ff")).toBe("a\\x9b\\xff");
	});
});
