import { describe, expect, it } from "vitest";
import { grubWords } from "../../../../src/boot/grub/menu-words.ts";

describe("words of a GRUB command", () => {
	it.each([
		["/a  b\tc", ["/a", "b", "c"]],
		["'a b' c", ["a b", "c"]],
		['x="a b"', ["x=a b"]],
		["a\\ b", ["a b"]],
		["''", [""]],
		['"a\\"b"', ['a"b']],
		["CDLABEL=My\\\\x20Disk", ["CDLABEL=My\\x20Disk"]],
		["", []],
		["if $x {a} # b", ["if", "$x", "{a}", "#", "b"]],
		["it's", ["it's"]],
	])("%s", (text, words) => {
		expect(grubWords(text)).toEqual(words);
	});
});
