import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { html, json } from "../../../src/page/markup.ts";

const anyText = fc
	.array(fc.oneof(fc.integer({ min: 0, max: 0x10ffff }), fc.integer({ min: 0, max: 0xff })), { maxLength: 60 })
	.map((codes) => codes.map((code) => String.fromCodePoint(code)).join(""));

describe("html", () => {
	it.each([
		["</p><script>alert(1)</script>", "&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;"],
		['" onload="alert(1)', "&quot; onload=&quot;alert(1)"],
		["' x='", "&#39; x=&#39;"],
		["&lt;", "&amp;lt;"],
		["<!--", "&lt;!--"],
		["]]>", "]]&gt;"],
		["a\u202eb\u0000\r\n\u2028", "a\\u{202e}b\\x00\\x0d\\x0a\\u{2028}"],
		["\ud800", "\\u{d800}"],
	])("takes %j for text", (text, escaped) => {
		expect(html`<p title="${text}">${text}</p>`.toString()).toBe(`<p title="${escaped}">${escaped}</p>`);
	});

	it("leaves no character that ends a text or an attribute, whatever is put in", () => {
		fc.assert(
			fc.property(anyText, (text) => {
				const plain = html`${text}`.toString().replace(/&(amp|lt|gt|quot|#39);/g, "");
				expect(/[&<>"'\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(plain)).toBe(false);
			}),
		);
	});

	it("bounds a text, and takes markup and lists of it as they are", () => {
		expect(html`${"x".repeat(1_000_000)}`.toString().length).toBeLessThan(2100);
		expect(html`${[html`<b>`, undefined, false]}${undefined}${0}`.toString()).toBe("<b>0");
	});
});

describe("json", () => {
	it("is the same document again, without what hides or reorders text", () => {
		fc.assert(
			fc.property(fc.dictionary(anyText, anyText), (value) => {
				const text = json(value).toString();
				expect(text).not.toMatch(/[<>"'\p{Cf}\p{Zl}\p{Zp}]/u);
				const plain = text
					.replaceAll("&lt;", "<")
					.replaceAll("&gt;", ">")
					.replaceAll("&quot;", '"')
					.replaceAll("&#39;", "'")
					.replaceAll("&amp;", "&");
				expect(JSON.parse(plain)).toEqual(JSON.parse(JSON.stringify(value)));
			}),
		);
	});
});
