import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { region } from "../../../../src/binary/byte-source.ts";
import { GiB, ISO_BLOCK_BYTES } from "../../../../src/binary/units.ts";
import { Oci2isoError } from "../../../../src/errors.ts";
import { MAX_FILE_SECTION_BYTES } from "../../../../src/formats/iso9660/extents.ts";
import { finishVolume } from "../../../../src/formats/iso9660/finish-volume.ts";
import { blockOfContent, planVolume, type VolumePlan } from "../../../../src/formats/iso9660/plan-volume.ts";
import { readVolume } from "../../../../src/formats/iso9660/read-volume.ts";
import type { IsoDirectory, IsoNode } from "../../../../src/formats/iso9660/tree.ts";
import {
	findNode,
	type Volume,
	type VolumeDirectory,
	type VolumeNode,
} from "../../../../src/formats/iso9660/volume.ts";
import { imageOf, OPTIONS, sparseSource } from "./sparse-source.ts";
import { anyTree, directory, file } from "./trees.ts";

/** The tree as JSON, with the extents that `plan` gave its files. */
function expected(node: IsoNode, plan: VolumePlan, baseBlock: number): unknown {
	const { mode, uid, gid, mtimeSeconds } = node;
	const posix = { mode, uid, gid, mtimeSeconds };
	if (node.type === "directory")
		return [...node.entries]
			.map(([name, child]) => [name, expected(child, plan, baseBlock)] as const)
			.sort(byName)
			.concat([["", posix]]);
	if (node.type === "symlink") return { ...posix, target: node.target };
	const block = blockOfContent(plan, node.contentKey) - baseBlock;
	return { ...posix, byteLength: node.byteLength, block };
}

function actual(node: VolumeNode): unknown {
	const posix = node.posix && {
		mode: node.posix.mode,
		uid: node.posix.uid,
		gid: node.posix.gid,
		mtimeSeconds: node.posix.mtimeSeconds,
	};
	if (node.type === "directory")
		return [...node.entries]
			.map(([name, child]) => [name, actual(child)] as const)
			.sort(byName)
			.concat([["", posix]]);
	if (node.type === "symlink") return { ...posix, target: node.target };
	if (node.type !== "file") return node.type;
	let block = node.extents[0]?.block ?? -1;
	for (const extent of node.extents) {
		expect(extent.block).toBe(block);
		block += extent.byteLength / ISO_BLOCK_BYTES;
	}
	return { ...posix, byteLength: node.byteLength, block: node.extents[0]?.block };
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
	return a < b ? -1 : 1;
}

/** Joliet has neither links nor attributes: bodies and how often they are named. */
function jolietBodies(node: VolumeNode): string[] {
	if (node.type === "directory") return [...node.entries.values()].flatMap(jolietBodies).concat("directory");
	return node.type === "file" ? [`${node.extents[0]?.block} ${node.byteLength}`] : [];
}

function bodies(node: IsoNode, plan: VolumePlan, baseBlock: number): string[] {
	if (node.type === "directory")
		return [...node.entries.values()].flatMap((each) => bodies(each, plan, baseBlock)).concat("directory");
	return node.type === "file" ? [`${blockOfContent(plan, node.contentKey) - baseBlock} ${node.byteLength}`] : [];
}

async function bothVolumes(plan: VolumePlan): Promise<[Volume, Volume]> {
	const image = imageOf(plan);
	const offset = 16 * ISO_BLOCK_BYTES;
	return [await readVolume(image), await readVolume(region(image, offset, image.byteLength - offset))];
}

describe("a planned volume", () => {
	it("reads back as the tree it was made of, from both starts", async () => {
		await fc.assert(
			fc.asyncProperty(anyTree, async (root) => {
				const plan = planVolume(root, OPTIONS);
				const volumes = await bothVolumes(plan);
				for (const [i, volume] of volumes.entries()) {
					const baseBlock = i * 16;
					expect(volume.problems).toEqual([]);
					expect(actual(volume.root)).toEqual(expected(root, plan, baseBlock));
					expect(jolietBodies(volume.jolietRoot as VolumeDirectory).sort()).toEqual(
						bodies(root, plan, baseBlock).sort(),
					);
				}
			}),
			{ seed: 9660, numRuns: 60 },
		);
	});

	it("gives no two things the same block", () => {
		fc.assert(
			fc.property(anyTree, (root) => {
				const plan = planVolume(root, { ...OPTIONS, hiddenFiles: [{ contentKey: "catalog", byteLength: 2048 }] });
				const spans = [
					...plan.tables.map(({ block, bytes }) => ({ block, byteLength: bytes.byteLength })),
					...plan.files.filter(({ byteLength }) => byteLength > 0),
				].sort((a, b) => a.block - b.block);
				let end = OPTIONS.firstFreeBlock;
				for (const { block, byteLength } of spans) {
					expect(block).toBeGreaterThanOrEqual(end);
					end = block + Math.ceil(byteLength / ISO_BLOCK_BYTES);
				}
				expect(plan.endBlock).toBeGreaterThanOrEqual(end);
				for (const { block } of plan.files) expect(block).toBeLessThan(plan.endBlock);
			}),
			{ seed: 9660, numRuns: 60 },
		);
	});

	it("does not depend on the order in which entries were added", () => {
		fc.assert(
			fc.property(anyTree, (root) => {
				const backwards = reversed(root);
				const [a, b] = [planVolume(root, OPTIONS), planVolume(backwards, OPTIONS)];
				expect(b.tables).toEqual(a.tables);
				expect(b.files).toEqual(a.files);
			}),
			{ seed: 9660, numRuns: 20 },
		);
	});

	it("keeps a body where the caller has put it and places the rest behind", async () => {
		const squashfs = file("squashfs", 5 * GiB, { fixedBlock: 64 });
		const root = directory({ LiveOS: directory({ "squashfs.img": squashfs }), kernel: file("kernel", 9_000_000) });
		const firstFreeBlock = 64 + (5 * GiB) / ISO_BLOCK_BYTES;
		const plan = planVolume(root, { ...OPTIONS, firstFreeBlock });
		const [whole, partition] = await bothVolumes(plan);
		const first = findNode(whole.root, "/LiveOS/squashfs.img");
		expect(first).toMatchObject({
			byteLength: 5 * GiB,
			extents: [
				{ block: 64, byteLength: MAX_FILE_SECTION_BYTES },
				{ block: 64 + MAX_FILE_SECTION_BYTES / 2048, byteLength: 5 * GiB - MAX_FILE_SECTION_BYTES },
			],
		});
		const second = findNode(partition.root, "/LiveOS/squashfs.img");
		expect(second).toMatchObject({ extents: [{ block: 48 }, { block: 48 + MAX_FILE_SECTION_BYTES / 2048 }] });
		expect(Math.min(...plan.tables.map(({ block }) => block))).toBe(firstFreeBlock);
		expect(plan.files.map(({ contentKey, fixed }) => [contentKey, fixed])).toEqual([
			["kernel", false],
			["squashfs", true],
		]);
	});

	it("refuses places that it needs itself, as a fault of its caller", () => {
		const at = (fixedBlock: number) => () => planVolume(directory({ a: file("a", 4096, { fixedBlock }) }), OPTIONS);
		expect(at(62)).not.toThrow();
		expect(at(63)).toThrow(/internal invariant/);
		expect(at(70)).toThrow(/internal invariant/);
		const plan = at(33)();
		expect(() => finishVolume(plan, { imageBlocks: plan.endBlock, bootRecords: [] })).toThrow(/internal invariant/);
	});

	it("keeps the block of an empty body inside the volume", () => {
		const plan = planVolume(directory({ a: file("a", 0), b: file("b", 10, { fixedBlock: 40 }) }), OPTIONS);
		expect(plan.files[0]?.block).toBeLessThan(plan.endBlock);
	});

	it("covers a fixed body that ends behind everything else", () => {
		const plan = planVolume(directory({ a: file("a", 4096, { fixedBlock: 5000 }) }), OPTIONS);
		expect(plan.endBlock).toBe(5002);
	});

	it.each([
		[2 ** 32 - 1, 1],
		[2 ** 32, 2],
		[2 * MAX_FILE_SECTION_BYTES, 2],
		[2 * MAX_FILE_SECTION_BYTES + 1, 3],
	])("writes a file of %d bytes as %d extents in every tree", async (byteLength, count) => {
		const volumes = await bothVolumes(planVolume(directory({ big: file("big", byteLength) }), OPTIONS));
		for (const { root, jolietRoot } of volumes)
			for (const tree of [root, jolietRoot]) {
				const node = tree?.entries.get("big");
				expect(node).toMatchObject({ type: "file", byteLength });
				expect(node?.type === "file" && node.extents.length).toBe(count);
			}
	});

	it("shares blocks between files of one content and counts links of one inode", async () => {
		const shared = file("grub.cfg", 10);
		const other = { ...shared };
		const plan = planVolume(directory({ a: shared, b: shared, c: other }), OPTIONS);
		const { root } = await readVolume(imageOf(plan));
		expect(
			[...root.entries.values()].map((node) => [node.posix?.links, node.type === "file" && node.extents[0]]),
		).toEqual([2, 2, 1].map((links) => [links, { block: plan.files[0]?.block, byteLength: 10 }]));
		expect(plan.files).toHaveLength(1);
		expect(plan.files[0]?.paths).toEqual(["/a", "/b", "/c"]);
	});

	it("writes the descriptors of both volumes with the sizes that each covers", async () => {
		const plan = planVolume(directory({ a: file("a", 1) }), {
			...OPTIONS,
			volumeIdentifier: "Fedora-bootc-Installer",
			publisher: "P",
			application: "A",
		});
		const tables = finishVolume(plan, { imageBlocks: plan.endBlock + 300, bootRecords: [Buffer.alloc(2048)] });
		expect(tables.map(({ block }) => block)).toEqual([16, 17, 18, 19, 32, 33, 34]);
		const [whole, partition] = await bothVolumes(plan);
		expect(whole.primary).toMatchObject({
			volumeIdentifier: "Fedora-bootc-Installer",
			systemIdentifier: "LINUX",
			preparerIdentifier: "OCI2ISO",
			publisherIdentifier: "P",
			applicationIdentifier: "A",
			volumeSetIdentifier: "",
			volumeSpaceBlocks: plan.endBlock + 100,
			createdAtSeconds: 1_700_000_000,
			modifiedAtSeconds: 1_700_000_000,
			expiresAtSeconds: undefined,
			escapeSequences: "",
		});
		expect(whole.primary.applicationUse.every((byte) => byte === 0x20)).toBe(true);
		expect(whole.joliet).toMatchObject({
			volumeIdentifier: "Fedora-bootc-Ins",
			systemIdentifier: "LINUX",
			volumeSpaceBlocks: plan.endBlock,
			escapeSequences: "%/E",
		});
		expect(partition.primary).toMatchObject({ volumeSpaceBlocks: plan.endBlock - 16 });
		expect(partition.joliet).toMatchObject({ volumeSpaceBlocks: plan.endBlock - 16 });
	});

	it("has one set of descriptors and trees without a partition offset", async () => {
		const plan = planVolume(directory({ a: file("a", 1) }), { ...OPTIONS, partitionOffsetBlocks: 0 });
		expect(finishVolume(plan, { imageBlocks: plan.endBlock, bootRecords: [] }).map(({ block }) => block)).toEqual([
			16, 17, 18,
		]);
		expect((await readVolume(imageOf(plan))).problems).toEqual([]);
		expect(plan.trees.secondPrimary).toBeUndefined();
	});
});

describe("a tree that cannot be said", () => {
	const long = (n: number) => "x".repeat(n);
	it.each<[string, IsoDirectory, string]>([
		["ISO_BAD_NAME", directory({ "a/b": file("a", 1) }), "/"],
		["ISO_BAD_NAME", directory({ "..": file("a", 1) }), "/"],
		["ISO_BAD_NAME", directory({ [long(256)]: file("a", 1) }), "/"],
		["ISO_ATTRIBUTE_RANGE", directory({ a: file("a", 1, { uid: 2 ** 32 }) }), "/a"],
		["ISO_ATTRIBUTE_RANGE", directory({ a: file("a", 1, { mtimeSeconds: Number.NaN }) }), "/a"],
		["ISO_FILE_SIZE", directory({ a: file("a", 2 ** 43) }), "/a"],
		["ISO_FILE_SIZE", directory({ a: file("a", 1.5) }), "/a"],
		["ISO_BLOCK_RANGE", directory({ a: file("a", 1, { fixedBlock: -1 }) }), "/a"],
		["ISO_BODY_CONFLICT", directory({ a: file("a", 1), b: file("a", 2) }), "/b"],
		["ISO_BAD_SYMLINK", directory({ s: { ...file("", 0), type: "symlink", target: long(1025) } }), "/s"],
		["ISO_TOO_DEEP", deep(130), "/d/"],
		["ISO_TOO_MANY_DIRECTORIES", wide(65_535), "/"],
	])("is refused with %s", (code, root, where) => {
		const error = caught(() => planVolume(root, OPTIONS));
		expect(error).toBeInstanceOf(Oci2isoError);
		expect(error).toMatchObject({ code, kind: "contract" });
		expect((error as Oci2isoError).where?.startsWith(where)).toBe(true);
	});

	it.each([
		["ISO_VOLUME_ID", { volumeIdentifier: long(33) }],
		["ISO_VOLUME_ID", { volumeIdentifier: "" }],
		["ISO_IDENTIFIER", { preparer: long(129) }],
		["ISO_IDENTIFIER", { systemIdentifier: "\u00e9" }],
		["ISO_TIMESTAMP", { timestampSeconds: 1e12 }],
		["ISO_TIMESTAMP", { timestampSeconds: 0.5 }],
	])("has its options refused with %s", (code, options) => {
		expect(caught(() => planVolume(directory({}), { ...OPTIONS, ...options }))).toMatchObject({ code });
	});

	it("is refused beyond 2^32 blocks", () => {
		const plan = planVolume(directory({ a: file("a", 1) }), OPTIONS);
		expect(caught(() => finishVolume(plan, { imageBlocks: 2 ** 32, bootRecords: [] }))).toMatchObject({
			code: "ISO_TOO_LARGE",
		});
	});

	it("keeps times within the format's years and says so", async () => {
		const plan = planVolume(directory({ old: file("a", 1, { mtimeSeconds: -1e10 }) }), OPTIONS);
		expect(plan.notices).toMatchObject([{ code: "ISO_TIME_CLAMPED", where: "/old" }]);
		const { root } = await readVolume(imageOf(plan));
		expect(root.entries.get("old")?.posix?.mtimeSeconds).toBe(Date.UTC(1900, 0, 1) / 1000);
	});

	function wide(count: number): IsoDirectory {
		return directory(Object.fromEntries(Array.from({ length: count }, (_, i) => [`d${i}`, directory({})])));
	}

	function deep(levels: number): IsoDirectory {
		let node = directory({});
		for (let i = 0; i < levels; i++) node = directory({ d: node });
		return node;
	}
});

describe("reading a damaged volume", () => {
	const root = directory({
		[`${"n".repeat(200)}`]: file("a", 5 * GiB),
		dir: directory({ deep: directory({ f: file("f", 1) }) }),
		link: { ...file("", 0), type: "symlink", target: `/${"t".repeat(250)}/${"u".repeat(250)}` },
	});
	const plan = planVolume(root, OPTIONS);
	const imageBlocks = plan.endBlock + 5;
	const tables = [...plan.tables, ...finishVolume(plan, { imageBlocks, bootRecords: [] })];

	it("refuses a directory that contains itself", async () => {
		const copies = tables.map((table) => ({ ...table, bytes: Buffer.from(table.bytes) }));
		const inner = copies.find(({ name }) => name === "primary directory /dir");
		const own = inner?.block ?? 0;
		const deepRecord = (inner?.bytes[0] ?? 0) + (inner?.bytes[inner.bytes[0] ?? 0] ?? 0);
		inner?.bytes.writeUInt32LE(own, deepRecord + 2);
		await expect(readVolume(sparseSource(copies, imageBlocks))).rejects.toMatchObject({ code: "BAD_DIRECTORY" });
	});

	it("refuses bodies and volumes that end behind the medium", async () => {
		await expect(readVolume(sparseSource(tables, imageBlocks - 1))).rejects.toMatchObject({
			code: "BAD_VOLUME_DESCRIPTOR",
		});
		await expect(readVolume(sparseSource(tables, 16))).rejects.toMatchObject({ code: "UNEXPECTED_END" });
		await expect(readVolume(sparseSource([], 100))).rejects.toMatchObject({ code: "BAD_VOLUME_DESCRIPTOR" });
	});
});

function reversed(root: IsoDirectory): IsoDirectory {
	const entries = [...root.entries].reverse();
	return {
		...root,
		entries: new Map(entries.map(([name, node]) => [name, node.type === "directory" ? reversed(node) : node])),
	};
}

function caught(run: () => unknown): unknown {
	try {
		run();
	} catch (error) {
		return error;
	}
	return undefined;
}
