import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FRAGMENT_RULES } from "../../../../src/content/fragment-rule.ts";
import type { DirectoryInode, Inode } from "../../../../src/tree/inode.ts";
import { noise } from "../../../support/noise.ts";
import { type Attributes, type ContentPart, TreeBuilder } from "../../../support/trees.ts";
import { imageFacts, inputFacts, makeImage, openImage } from "./harness.ts";

const BLOCK = 4096;

async function expectRoundTrip(builder: TreeBuilder, root: DirectoryInode, settings = {}): Promise<void> {
	const { image } = await makeImage(builder, root, settings);
	expect(Object.fromEntries(await imageFacts(image))).toEqual(Object.fromEntries(await inputFacts(builder, root)));
}

describe("an image read back", () => {
	it.each([
		["by default", {}],
		["without fragments", { fragmentRule: "none" }],
		["with every tail in a fragment", { fragmentRule: "all-tails" }],
		["without an export table", { exportable: false }],
		["uncompressed", { stored: true }],
		["with larger blocks", { blockBytes: 131_072 }],
	])("has files around the block boundaries (%s)", async (_, settings) => {
		const tree = new TreeBuilder();
		const sizes = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 17, 300_000, 1_500_000];
		const files = sizes.flatMap((size): [string, Inode][] => [
			[`noise-${size}`, tree.file(noise(size, size))],
			[`text-${size}`, tree.file(Buffer.alloc(size, "some text "))],
			[`zeros-${size}`, tree.file(new Uint8Array(size))],
			[`hole-${size}`, tree.file([{ hole: size }])],
			[`mixed-${size}`, tree.file([noise(100, size), { hole: size }, noise(3, size)])],
		]);
		await expectRoundTrip(tree, tree.directory(Object.fromEntries(files)), settings);
	});

	it("keeps hard-link groups over directories, with their counts", async () => {
		const tree = new TreeBuilder();
		const file = tree.file("linked");
		const link = tree.symlink("x");
		const root = tree.directory({ a: file, b: tree.directory({ c: file, d: tree.directory({ file, link }) }), link });
		await expectRoundTrip(tree, root);
		const { image, summary } = await makeImage(tree, root);
		const read = await (await openImage(image)).readTree();
		expect(read.entries.get("a")?.linkCount).toBe(3);
		expect(read.entries.get("link")?.linkCount).toBe(2);
		expect(read.linkCount).toBe(3);
		expect(summary).toMatchObject({ inodes: 5, extraLinks: 3, directories: 3, regularFiles: 1, symlinks: 1 });
	});

	it("has a directory of many entries and one of many levels", async () => {
		const tree = new TreeBuilder();
		const many = Array.from({ length: 5000 }, (_, i): [string, Inode] => [
			`a-rather-long-name-to-fill-the-table-${i}`,
			i % 7 === 0 ? tree.directory() : tree.symlink(`${i}`),
		]);
		let deep = tree.directory({ bottom: tree.file("deep") });
		for (let i = 0; i < 3000; i++) deep = tree.directory({ d: deep });
		await expectRoundTrip(tree, tree.directory({ many: tree.directory(Object.fromEntries(many)), deep }));
	});

	it("numbers inodes from 1 without gaps, and lists them all in the export table", async () => {
		const tree = new TreeBuilder();
		const file = tree.file("f");
		const root = tree.directory({ a: tree.directory({ file }), b: file, c: tree.symlink("x") });
		const { image } = await makeImage(tree, root);
		const reader = await openImage(image);
		const read = await reader.readTree();
		const a = read.entries.get("a");
		const numbers = [read, ...read.entries.values()].map((inode) => inode.inodeNumber);
		expect(numbers.sort()).toEqual([1, 2, 3, 4]);
		expect(a?.type === "directory" && a.entries.get("file")).toBe(read.entries.get("b"));
		expect(reader.superblock.inodeCount).toBe(4);
	});

	it("has the bytes that it always had", async () => {
		const tree = new TreeBuilder();
		const hard = tree.file("linked", { xattrs: { "user.a": "b" } });
		const root = tree.directory({
			a: hard,
			b: tree.directory({ hard, link: tree.symlink("../a"), null: tree.device("character-device", 1, 3) }),
			c: tree.file([noise(10_000, 1), { hole: 100_000 }, noise(5, 2)], { uid: 70_000, gid: 5 }),
			d: tree.file(noise(10_000, 1)),
		});
		const names = Array.from(
			{ length: 4000 },
			(_, i) => [`entry ${i} ${"x".repeat(i % 40)}`, tree.ipc("fifo")] as const,
		);
		const indexed = tree.directory({
			before: tree.directory({ x: hard }),
			large: tree.directory(Object.fromEntries(names)),
		});
		for (const [of, sha256] of [
			[root, "97390e8173debdaec640ea5d04f2405cafd6e4dc597fe574da47ab90138d3f74"],
			[indexed, "8e47a432746311b990a1304094126f3d6eaf3fc198539e5c6b57d990d404a680"],
		] as const) {
			const { image } = await makeImage(tree, of, { stored: true });
			expect(createHash("sha256").update(image).digest("hex")).toBe(sha256);
		}
	});

	it("stores a set of extended attributes once, and a large value once", async () => {
		const tree = new TreeBuilder();
		const large = noise(60_000, 5);
		const root = tree.directory({
			a: tree.file("1", { xattrs: { "user.large": large, "user.a": "1" } }),
			b: tree.file("2", { xattrs: { "user.a": "1", "user.large": large } }),
			c: tree.file("3", { xattrs: { "user.large": large, "user.c": "3" } }),
		});
		await expectRoundTrip(tree, root);
		const { summary } = await makeImage(tree, root);
		expect(summary.xattrSets).toBe(2);
		expect(summary.bytesUsed).toBeLessThan(62_000);
	});
});

const attributes = fc.record<Attributes>({
	mode: fc.integer({ min: 0, max: 0o7777 }),
	uid: fc.nat({ max: 2 ** 32 - 1 }),
	gid: fc.nat({ max: 2 ** 32 - 1 }),
	mtime: fc.nat({ max: 2 ** 32 - 1 }),
	xattrs: fc.dictionary(
		fc
			.tuple(fc.constantFrom("user.", "trusted.", "security."), fc.string({ minLength: 1, maxLength: 8 }))
			.map(([prefix, name]) => prefix + name.replace(/\0/g, "n")),
		fc.uint8Array({ maxLength: 200 }),
		{ maxKeys: 3 },
	),
});
const part: fc.Arbitrary<ContentPart> = fc.oneof(
	fc.uint8Array({ maxLength: 200 }),
	fc.tuple(fc.nat({ max: 9000 }), fc.nat({ max: 3 })).map(([length, seed]) => noise(length, seed)),
	fc.nat({ max: 9000 }).map((length) => new Uint8Array(length)),
	fc.record({ hole: fc.nat({ max: 20_000 }) }),
);
const content = fc.array(part, { maxLength: 4 });
const name = fc
	.uint8Array({ minLength: 1, maxLength: 12 })
	.map((bytes) => Buffer.from(bytes).toString("latin1").replace(/[/\0]/g, "_"))
	.filter((text) => text !== "." && text !== "..");

type Plan =
	| { readonly kind: "file"; readonly content: ContentPart[]; readonly attributes: Attributes }
	| { readonly kind: "symlink"; readonly target: string; readonly attributes: Attributes }
	| { readonly kind: "device"; readonly major: number; readonly minor: number; readonly attributes: Attributes }
	| { readonly kind: "ipc"; readonly type: "fifo" | "socket"; readonly attributes: Attributes }
	| { readonly kind: "link"; readonly to: number }
	| {
			readonly kind: "directory";
			readonly children: readonly (readonly [string, Plan])[];
			readonly attributes: Attributes;
	  };

const { plan } = fc.letrec<{ plan: Plan }>((tie) => ({
	plan: fc.oneof(
		{ depthSize: "small", withCrossShrink: true },
		fc.record({ kind: fc.constant("file" as const), content, attributes }),
		fc.record({
			kind: fc.constant("symlink" as const),
			target: fc.string({ minLength: 1, maxLength: 30 }).map(toBytes),
			attributes,
		}),
		fc.record({
			kind: fc.constant("device" as const),
			major: fc.nat({ max: 4095 }),
			minor: fc.nat({ max: 0xfffff }),
			attributes,
		}),
		fc.record({
			kind: fc.constant("ipc" as const),
			type: fc.constantFrom("fifo" as const, "socket" as const),
			attributes,
		}),
		fc.record({ kind: fc.constant("link" as const), to: fc.nat() }),
		fc.record({
			kind: fc.constant("directory" as const),
			children: fc.array(fc.tuple(name, tie("plan")), { maxLength: 8 }),
			attributes,
		}),
	),
}));

function toBytes(text: string): string {
	return Buffer.from(text).toString("latin1").replace(/\0/g, "0");
}

function build(
	tree: TreeBuilder,
	children: readonly (readonly [string, Plan])[],
	attributes: Attributes,
	linkable: Inode[],
) {
	const directory = tree.directory({}, attributes);
	for (const [childName, child] of children) {
		const inode = buildOne(tree, child, linkable);
		if (inode === undefined) continue;
		if (inode.type !== "directory") linkable.push(inode);
		directory.entries.set(childName, inode);
	}
	return directory;
}

function buildOne(tree: TreeBuilder, child: Plan, linkable: Inode[]): Inode | undefined {
	switch (child.kind) {
		case "file":
			return tree.file(child.content, child.attributes);
		case "symlink":
			return tree.symlink(child.target, child.attributes);
		case "device":
			return tree.device("block-device", child.major, child.minor, child.attributes);
		case "ipc":
			return tree.ipc(child.type, child.attributes);
		case "link":
			return linkable[child.to % Math.max(1, linkable.length)];
		case "directory":
			return build(tree, child.children, child.attributes, linkable);
	}
}

describe("any tree", () => {
	it("comes back as it was", async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(fc.tuple(name, plan), { maxLength: 12 }),
				attributes,
				fc.record({
					fragments: fc.boolean(),
					fragmentRule: fc.constantFrom(...FRAGMENT_RULES),
					stored: fc.boolean(),
					pieceBytes: fc.integer({ min: 1, max: 10_000 }),
				}),
				async (children, rootAttributes, settings) => {
					const tree = new TreeBuilder();
					await expectRoundTrip(tree, build(tree, children, rootAttributes, []), settings);
				},
			),
			{ seed: 20261120, numRuns: 300 },
		);
	});
});
