import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byteStringFromText, compareByteStrings } from "../../../../src/binary/byte-string.ts";
import { assignIdentifiers, jolietNaming, primaryNaming } from "../../../../src/formats/iso9660/identifiers.ts";

const type = "other" as const;
const assign = (names: string[], scheme = primaryNaming) =>
	assignIdentifiers(
		names.map((name) => ({ name, type })),
		scheme,
	);

describe("primary identifiers", () => {
	// Each pair was read from an image that xorrisofs 1.5.4 made with the reference's arguments.
	it.each([
		["vmlinuz", "VMLINUZ."],
		[".discinfo", ".DISCINFO"],
		["915resolution.mod", "915RESOLUTION.MOD"],
		[".hidden.txt", "_HIDDEN.TXT"],
		["..two", "_.TWO"],
		["x.", "X_."],
		["x..", "X__."],
		["x.y.z", "X_Y.Z"],
		["foo~1.txt", "FOO_1.TXT"],
		["very-long-name-with-many-characters-in-it.extension", "VERY_LONG_NAME_WITH_MANY_CH.EXT"],
		["short.very-long-extension-that-goes-on-and-on-forever", "SHORT.VERY_LONG_EXTENSION_THAT_"],
		[`${"a".repeat(30)}.b`, `${"A".repeat(29)}.B`],
		["a".repeat(31), `${"A".repeat(30)}.`],
		[byteStringFromText("ü.txt"), "_.TXT"],
		[byteStringFromText("a😀b.txt"), "A_B.TXT"],
		["bad\u00ff\u00c3\u00a9.txt", "BAD__.TXT"],
		["\u00ff\u00fe", "__."],
	])("of %j is %s", (name, identifier) => {
		expect(primaryNaming.identifierOf(name, "other")).toBe(identifier);
	});

	it.each([
		["i386-pc", "I386_PC"],
		["dir.with.dots", "DIR_WITH.DOTS"],
		["fDDDDDDDDDDDDDDDDDDDD.", "FDDDDDDDDDDDDDDDDDDDD_"],
		["averyverylongdirectorynamewithmorethan31chars", "AVERYVERYLONGDIRECTORYNAMEWITH"],
	])("of the directory %j is %s", (name, identifier) => {
		expect(primaryNaming.identifierOf(name, "directory")).toBe(identifier);
	});

	it("number every name of a group, around numbers that are taken", () => {
		expect(assign(["README.txt", "Readme", "readme", "readme.TXT"])).toEqual([
			"README0.TXT",
			"README0.",
			"README1.",
			"README1.TXT",
		]);
		expect(assign(["A_B0", "a b", "a-b"])).toEqual(["A_B0.", "A_B1.", "A_B2."]);
	});

	it("number with three digits when one does not suffice", () => {
		const group = Array.from({ length: 12 }, (_, i) => `col ${String.fromCharCode(33 + i)}`);
		expect(assign(group)).toEqual(group.map((_, i) => `COL__${String(i).padStart(3, "0")}.`));
	});

	it("give up letters of the extension where the name has none to give", () => {
		const names = [29, 30, 31, 40].map((n) => `e.${"D".repeat(n)}`);
		expect(assign(names)).toEqual([0, 1, 2, 3].map((i) => `E${i}.${"D".repeat(28)}`));
	});
});

describe("Joliet identifiers", () => {
	it.each([
		["README.txt", "README.txt"],
		["x.", "x."],
		[byteStringFromText("é"), "é"],
		[byteStringFromText("a😀b.txt"), "a_b.txt"],
		["bad\u00ff\u00c3\u00a9.txt", "bad_é.txt"],
		["x*y:z;?\\", "x_y_z___"],
		["j".repeat(70), "j".repeat(64)],
		[`${"k".repeat(70)}.text`, `${"k".repeat(60)}.tex`],
	])("of %j is %s", (name, identifier) => {
		expect(jolietNaming.identifierOf(name, "other")).toBe(identifier);
	});

	it("have numbers where two would be alike", () => {
		expect(assign(["x*y", "x:y"], jolietNaming)).toEqual(["x_y0", "x_y1"]);
	});
});

describe("identifiers of any directory", () => {
	const name = fc.oneof(
		fc.stringMatching(/^[aAbB.-]{1,5}$/),
		fc.stringMatching(/^[aA]{28,33}\.?[bB]{0,33}$/),
		fc.uint8Array({ minLength: 1, maxLength: 70 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
	);
	it.each([
		["primary", primaryNaming, /^[A-Z0-9_]*\.?[A-Z0-9_]*$/],
		["Joliet", jolietNaming, /^[ -)+-.0-9<->@-[\]-\uffff]+$/],
	])("are distinct and within the limits of the %s tree", (_, scheme, alphabet) => {
		fc.assert(
			fc.property(fc.uniqueArray(name, { maxLength: 200 }), (names) => {
				const sorted = [...names].sort(compareByteStrings);
				const identifiers = assign(sorted, scheme);
				expect(new Set(identifiers).size).toBe(names.length);
				for (const each of identifiers) {
					expect(each).toMatch(alphabet);
					expect(each.length).toBeGreaterThan(0);
					expect(each.length).toBeLessThanOrEqual(scheme.maxCharacters);
				}
			}),
			{ seed: 9660, numRuns: 200 },
		);
	});
});
