import { describe, expect, test } from "vitest";
import { resolveModules } from "../../../../../../src/boot/grub/made/core-image/module-dependencies.ts";

const resolve = (list: string, ...wanted: string[]) => resolveModules(Buffer.from(list, "latin1"), wanted);
const refused = (what: string) => expect.objectContaining({ code: "GRUB_MODULE_DEPENDENCIES", kind: "contract", what });

describe("resolveModules", () => {
	test("puts each module after those that it needs, once", () => {
		expect(resolve("a: b\nb: c\nc:\nd: c a\n", "d", "b", "e")).toEqual(["c", "b", "a", "d", "e"]);
	});

	test("takes the names of a line from the last to the first, and the last line of a name", () => {
		expect(resolve("a: x y z\n", "a")).toEqual(["z", "y", "x", "a"]);
		expect(resolve("a: x\na: y\n", "a")).toEqual(["y", "a"]);
	});

	test("takes a file's name for its module's", () => {
		expect(resolve("a: b.mod\nb: c\n", "a.mod", "b")).toEqual(["c", "b", "a"]);
	});

	test("reads any blanks and a last line without an end", () => {
		expect(resolve("a:\t x \r\nx:y", "a")).toEqual(["y", "x", "a"]);
		expect(resolve("", "a")).toEqual(["a"]);
	});

	test("refuses what cannot be followed", () => {
		expect(() => resolve("a: b\nb: a\n", "a")).toThrow(refused("a depends on itself"));
		expect(() => resolve("a: a\n", "a")).toThrow(refused("a depends on itself"));
		expect(() => resolve("a:\n\nb:\n", "a")).toThrow(refused("line 2 has no colon"));
		expect(() => resolve("a: ../../etc/passwd\n", "a")).toThrow(refused('"../../etc/passwd" is no module\'s name'));
		expect(() => resolve("a: b\0c\n", "a")).toThrow(refused('"b\\x00c" is no module\'s name'));
		expect(() => resolve("a: ..\n", "a")).toThrow(refused('".." is no module\'s name'));
		const chain = Array.from({ length: 100_000 }, (_, i) => `m${i}: m${i + 1}\n`).join("");
		expect(() => resolve(chain, "m0")).toThrow(refused("more than 256 modules are needed"));
		expect(resolve(chain, "m99900")).toHaveLength(101);
	});
});
