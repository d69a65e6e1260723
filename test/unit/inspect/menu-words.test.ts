import { describe, expect, it } from "vitest";
import { commandArguments } from "../../../src/boot/grub/made/quoting.ts";
import { argumentValue, grubWords, isArgumentSet } from "../../../src/inspect/menu-words.ts";

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
	])("%s", (text, words) => {
		expect(grubWords(text)).toEqual(words);
		// What is written into the menu has the same words.
		expect(grubWords(commandArguments(text))).toEqual(words);
	});
});

describe("kernel arguments", () => {
	it("takes the last of several, as dracut does", () => {
		expect(argumentValue(["root=a", "root=b"], "root")).toBe("b");
		expect(argumentValue(["rootflags=a"], "root")).toBeUndefined();
		expect(argumentValue(["quiet"], "quiet")).toBe("");
	});

	it.each([
		["x", true],
		["x=1", true],
		["x=0", false],
		["x=no", false],
		["y", false],
	])("%s sets x: %s", (argument, isSet) => expect(isArgumentSet([argument], "x")).toBe(isSet));
});
