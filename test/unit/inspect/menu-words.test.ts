import { describe, expect, it } from "vitest";
import { commandArguments } from "../../../src/grub/quoting.ts";
import { rootRequestOf } from "../../../src/inspect/checks/live-system.ts";
import { argumentValue, grubWords, isArgumentSet, udevLabel } from "../../../src/inspect/menu-words.ts";

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

	it.each([
		["root=live:CDLABEL=X", "dmsquash-live"],
		["root=CDLABEL=X rd.live.image", "dmsquash-live"],
		["inst.stage2=hd:LABEL=X", "anaconda"],
		["boot=live", "live-boot"],
		["boot=casper", "casper"],
		["root=/dev/sda1 quiet", "other"],
	])("%s asks for %s", (args, request) => expect(rootRequestOf(args.split(" "))).toBe(request));
});

it("writes labels as udev does", () => {
	expect(udevLabel("Fedora-43_x")).toBe("Fedora-43_x");
	expect(udevLabel("My Disk")).toBe("My\\x20Disk");
	expect(udevLabel("a/b%")).toBe("a\\x2fb\\x25");
	expect(udevLabel("Größe")).toBe("Größe");
});
