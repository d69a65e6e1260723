import { describe, expect, test } from "vitest";
import { byteStringFromText } from "../../../../src/binary/byte-string.ts";
import { displayedShortName, fatNames, shortNameChecksum } from "../../../../src/formats/fat/name.ts";

function nameOf(text: string): [string, number, string | undefined] {
	const name = fatNames([byteStringFromText(text)]).get(byteStringFromText(text));
	return [name?.shortName ?? "", name?.caseFlags ?? -1, name?.longName];
}

describe("the name of one entry", () => {
	test.each([
		["EFI", "EFI        ", 0x00, undefined],
		["BOOTX64.EFI", "BOOTX64 EFI", 0x00, undefined],
		["grubx64.efi", "GRUBX64 EFI", 0x18, undefined],
		["unicode.pf2", "UNICODE PF2", 0x18, undefined],
		["fonts", "FONTS      ", 0x08, undefined],
		["GRUB.cfg", "GRUB    CFG", 0x10, undefined],
		["grub.CFG", "GRUB    CFG", 0x08, undefined],
		["1234.567", "1234    567", 0x00, undefined],
		["Grub.cfg", "GRUB    CFG", 0x00, "Grub.cfg"],
		["a.b.c", "AB~1    C  ", 0x00, "a.b.c"],
		["long name.config", "LONGNA~1CON", 0x00, "long name.config"],
		[".discinfo", "DISCIN~1   ", 0x00, ".discinfo"],
		["a+b.txt", "A_B~1   TXT", 0x00, "a+b.txt"],
		["é.txt", "_~1     TXT", 0x00, "é.txt"],
		["name.html", "NAME~1  HTM", 0x00, "name.html"],
	])("%s is %j with flags %i and long name %s", (text, shortName, flags, longName) => {
		expect(nameOf(text)).toEqual([shortName, flags, longName]);
	});

	test.each(["a/b", "a:b", "a*", 'a"b', "a\\b", "a\u0001", "", "trailing.", "trailing ", "x".repeat(256)])(
		"%j is refused",
		(text) => {
			expect(() => nameOf(text)).toThrow("FAT_NAME");
		},
	);

	test("that is not UTF-8 is refused", () => {
		expect(() => fatNames(["\xff"])).toThrow("not UTF-8");
	});

	test("shows as it was written", () => {
		expect(displayedShortName("GRUBX64 EFI", 0x18)).toBe("grubx64.efi");
		expect(displayedShortName("FONTS      ", 0)).toBe("FONTS");
	});
});

describe("the names of a directory", () => {
	test("get aliases that are all different, and never a name that is there", () => {
		const texts = [
			"longname-1.txt",
			"longname-2.txt",
			"LONGNA~1.TXT",
			...Array.from({ length: 120 }, (_, i) => `longname ${i}.txt`),
		];
		const names = fatNames(texts);
		const shortNames = [...names.values()].map(({ shortName }) => shortName);
		expect(new Set(shortNames).size).toBe(texts.length);
		expect(names.get("LONGNA~1.TXT")?.longName).toBeUndefined();
		expect(names.get("longname-1.txt")?.shortName).toBe("LONGNA~2TXT");
		expect(shortNames).toContain("LONGN~10TXT");
		expect(shortNames).toContain("LONG~100TXT");
	});

	test("that differ in case only are refused", () => {
		expect(() => fatNames(["grub.cfg", "GRUB.CFG"])).toThrow("FAT_NAME_COLLISION");
	});
});

test("the checksum of a short name is the specification's", () => {
	expect(shortNameChecksum("MIXEDC~1CON")).toBe(0x59);
	expect(shortNameChecksum("GRUB    CFG")).toBe(0x92);
});
