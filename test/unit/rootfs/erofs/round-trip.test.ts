import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CodecName } from "../../../../src/codec/types.ts";
import type { FragmentRule } from "../../../../src/content/fragment-rule.ts";
import type { Inode } from "../../../../src/tree/inode.ts";
import { noise } from "../../../support/noise.ts";
import { type ContentPart, TreeBuilder } from "../../../support/trees.ts";
import { assortedTree, imageFacts, inputFacts, makeImage } from "./harness.ts";

const KiB = 1024;

describe("what the writer makes, the reader reads", () => {
	it.each<[CodecName, number, FragmentRule]>([
		["zstd", 4 * KiB, "small-files"],
		["lz4", 16 * KiB, "all-tails"],
		["gzip", 64 * KiB, "none"],
		["none", 4 * KiB, "none"],
		["none", 16 * KiB, "none"],
	])("of %s in blocks of %d bytes, tails: %s", async (codec, blockBytes, fragmentRule) => {
		const { tree, root } = assortedTree(400);
		const image = await makeImage(tree, root, { codec, blockBytes, fragmentRule });
		expect(await imageFacts(image)).toEqual(await inputFacts(tree, root));
	});

	it("of any contents, names, owners and times", async () => {
		const part = fc.oneof(
			fc.integer({ min: 0, max: 30_000 }).map((length): ContentPart => noise(length, length)),
			fc.integer({ min: 0, max: 60_000 }).map((length): ContentPart => Buffer.alloc(length, "text ")),
			fc.integer({ min: 1, max: 50_000 }).map((hole): ContentPart => ({ hole })),
		);
		const file = fc.record({
			name: fc.string({ minLength: 1, maxLength: 40 }).filter((name) => !/[/\0]|^\.\.?$/.test(name)),
			parts: fc.array(part, { maxLength: 3 }),
			uid: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
			seconds: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
			nanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
			xattrs: fc.dictionary(fc.stringMatching(/^user\.[a-z]{1,9}$/), fc.string({ maxLength: 50 }), { maxKeys: 3 }),
		});
		const settings = fc.record({
			codec: fc.constantFrom<CodecName>("zstd", "lz4", "gzip", "none"),
			blockBytes: fc.constantFrom(4 * KiB, 16 * KiB, 128 * KiB),
			fragmentRule: fc.constantFrom<FragmentRule>("none", "small-files", "all-tails"),
		});
		await fc.assert(
			fc.asyncProperty(fc.array(file, { maxLength: 8 }), settings, async (files, setting) => {
				const tree = new TreeBuilder();
				const children: Record<string, Inode> = {};
				for (const { name, parts, uid, seconds, nanoseconds, xattrs } of files)
					children[name] = tree.file(parts, { uid, mtime: { seconds, nanoseconds }, xattrs });
				const root = tree.directory({ below: tree.directory(children) });
				const image = await makeImage(tree, root, setting);
				expect(await imageFacts(image)).toEqual(await inputFacts(tree, root));
			}),
			{ numRuns: 60, seed: 1 },
		);
	});
});
