import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memorySource } from "../../../../src/binary/byte-source.ts";
import { byteStringFromText } from "../../../../src/binary/byte-string.ts";
import { atOnce } from "../../../../src/binary/turns.ts";
import { Findings } from "../../../../src/findings/findings.ts";
import { finishVolume } from "../../../../src/formats/iso9660/finish-volume.ts";
import { planVolume } from "../../../../src/formats/iso9660/plan-volume.ts";
import { readVolume } from "../../../../src/formats/iso9660/read-volume.ts";
import type { IsoDirectory, IsoFile, IsoNode } from "../../../../src/formats/iso9660/tree.ts";
import { compareTrees } from "../../../../src/verify/compare-trees.ts";

const attributes = { mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 1 };

/** What is wrong with a volume of files with these names, as it is read back. `change` damages it first. */
async function faultsOf(names: readonly string[], change: (bytes: Buffer) => void = () => {}): Promise<string[]> {
	const file = (i: number): IsoFile => ({ ...attributes, type: "file", byteLength: 1, contentKey: `file ${i}` });
	const entries = new Map<string, IsoNode>(
		[...new Set(names.map(byteStringFromText))].map((name, i) => [name, file(i)] as const),
	);
	const root: IsoDirectory = { ...attributes, mode: 0o755, type: "directory", entries };
	const plan = planVolume(root, {
		volumeIdentifier: "X",
		systemIdentifier: "",
		preparer: "",
		timestampSeconds: 1,
		firstFreeBlock: 64,
		partitionOffsetBlocks: 16,
		hiddenFiles: [],
	});
	const bytes = Buffer.alloc(plan.endBlock * 2048);
	for (const { block, bytes: part } of [
		...plan.tables,
		...finishVolume(plan, { imageBlocks: plan.endBlock, bootRecords: [] }),
	])
		bytes.set(part, block * 2048);
	change(bytes);
	const volume = await readVolume(memorySource(bytes));
	const findings = new Findings();
	if (volume.jolietRoot === undefined) throw new Error("there is no Joliet tree");
	expect([...volume.root.entries.keys()].sort()).toEqual([...entries.keys()].sort());
	expect(volume.jolietRoot.entries.size).toBe(entries.size);
	atOnce(compareTrees(volume.root, volume.jolietRoot, { kind: "joliet" }, findings));
	return [...findings.list.map(({ what }) => what), ...volume.problems.map(({ what }) => what)];
}

describe("names that become one when they are shortened or changed", () => {
	it.each([
		["beyond the basic plane", ["😀.mod", "_.mod", "🎉.mod"]],
		["of a dozen long ones", Array.from({ length: 12 }, (_, i) => `${"z".repeat(64)}${i}`)],
	])("%s are all in every tree", async (_, names) => expect(await faultsOf(names)).toEqual([]));

	it("are all in every tree whatever they are", () =>
		fc.assert(
			fc.asyncProperty(
				fc.uniqueArray(
					fc
						.tuple(
							fc.constantFrom("a", "A", "_", "é"),
							fc.integer({ min: 1, max: 68 }),
							fc.constantFrom("", ".", ".x", ":", "0", ".mod"),
						)
						.map(([letter, count, end]) => letter.repeat(count) + end),
					{ minLength: 1, maxLength: 30 },
				),
				async (names) => {
					expect(await faultsOf(names.filter((name) => !/^\.*$/.test(name)))).toEqual([]);
				},
			),
			{ seed: 9, numRuns: 100 },
		));

	it("hide nothing that only one tree has", async () => {
		const other = (bytes: Buffer): void => {
			const name = Buffer.from("plain.txt", "utf16le").swap16();
			const renamed = Buffer.from("plajn.txt", "utf16le").swap16();
			for (let at = bytes.indexOf(name); at >= 0; at = bytes.indexOf(name, at)) renamed.copy(bytes, at);
		};
		expect(await faultsOf(["plain.txt", "b"], other)).toEqual([
			"the Joliet tree lacks it",
			"only the Joliet tree has it",
		]);
	});
});
