import { execFileSync } from "node:child_process";
import {
	closeSync,
	existsSync,
	lstatSync,
	openSync,
	readdirSync,
	readFileSync,
	readSync,
	rmSync,
	statSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { memorySource, region } from "../../src/binary/byte-source.ts";
import { createCompressor } from "../../src/codec/compressor.ts";
import type { CodecName } from "../../src/codec/types.ts";
import type { StoredFile } from "../../src/content/stored-data.ts";
import { Findings } from "../../src/findings/findings.ts";
import { HEAD_BYTES } from "../../src/rootfs/root-file-system.ts";
import { SQUASHFS } from "../../src/rootfs/squashfs/squashfs.ts";
import { SquashfsWriter } from "../../src/rootfs/squashfs/squashfs-writer.ts";
import type { DirectoryInode, FileInode } from "../../src/tree/inode.ts";
import { ImageFile } from "../support/disk-tree.ts";
import { withLoopMount } from "../support/loop.ts";
import { noise } from "../support/noise.ts";
import { requires } from "../support/requires.ts";
import { richTree } from "../support/rich-tree.ts";
import { expectSparseFile, SPARSE_PARTS } from "../support/sparse-file.ts";
import { type CodecOptions, diskFacts, imageFileFacts, writeImageFile } from "../support/squashfs-images.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type ContentPart, filesOf, TreeBuilder, treeFacts, withZeros } from "../support/trees.ts";

const KiB = 1024;
const GiB = 2 ** 30;

const PROGRAMS = [process.execPath, "/bin/sh", "/usr/bin/env", "/usr/bin/perl"].filter((path) => existsSync(path));

function readStart(path: string, byteLength: number): Buffer {
	return readFileSync(path).subarray(0, byteLength);
}

describe.skipIf(requires("root", "mount", "getfattr"))("the kernel", () => {
	const scratch = temporaryDirectory("squashfs");
	const image = join(scratch, "image.squashfs");

	/** Returns where each ends in the file. */
	async function writeImages(
		trees: readonly { readonly tree: TreeBuilder; readonly root: DirectoryInode }[],
		{ codec, ...options }: CodecOptions,
	) {
		const { blockBytes } = options;
		const compressor = await createCompressor({ codec, level: 1, threads: 2, blockBytes });
		rmSync(image, { force: true });
		const sink = new ImageFile(image, false);
		const furtherImages = trees.length - 1;
		const writer = new SquashfsWriter({ sink, compressor, modificationTimeSeconds: 1, ...options, furtherImages });
		const stored = new Map<FileInode, StoredFile>();
		for (const { tree, root } of trees)
			for (const file of filesOf(root)) {
				writer.data.beginFile();
				for (const part of tree.contents.get(file) ?? [])
					if ("hole" in part) writer.data.appendHole(part.hole);
					else writer.data.append(part);
				stored.set(file, writer.data.endFile());
				await writer.data.settle();
			}
		await writer.data.finish();
		const ends = trees.map(({ root }) => {
			const { start, byteLength } = writer.finish(root, (file) => stored.get(file) as StoredFile);
			return start + byteLength;
		});
		await compressor.close();
		sink.close();
		return { ends, blockBytes };
	}

	// Each codec and each size, of which the driver knows nothing together.
	const cases: [CodecName, number][] = [
		["zstd", 4 * KiB],
		["gzip", 128 * KiB],
		["xz", 1024 * KiB],
		["lz4", 4 * KiB],
		["none", 128 * KiB],
	];

	it.each(cases)("reads everything back from %s in blocks of %d bytes", async (codec, blockBytes) => {
		const { tree, root } = richTree(blockBytes);
		const level = codec === "zstd" ? { level: 3 } : codec === "xz" ? { level: 1 } : {};
		const partsOf = (file: FileInode) => tree.contents.get(file) ?? [];
		await writeImageFile(image, root, partsOf, { codec, blockBytes, ...level });
		const expected = await treeFacts<FileInode>(root, (file) => withZeros(partsOf(file)));
		const actual = await withLoopMount(image, "squashfs", {}, diskFacts);
		expect(Object.fromEntries(actual)).toEqual(Object.fromEntries(expected));
	});

	it.each([128 * KiB, 1024 * KiB])(
		"reads programs back from xz, with its x86 filter, in blocks of %d bytes",
		async (blockBytes) => {
			const tree = new TreeBuilder();
			const root = tree.directory(
				Object.fromEntries(PROGRAMS.map((path, i) => [`program-${i}`, tree.file([readStart(path, 2 * 1024 * KiB)])])),
			);
			const partsOf = (file: FileInode) => tree.contents.get(file) ?? [];
			await writeImageFile(image, root, partsOf, { codec: "xz", blockBytes });
			const expected = await treeFacts<FileInode>(root, (file) => withZeros(partsOf(file)));
			expect(await withLoopMount(image, "squashfs", {}, diskFacts)).toEqual(expected);
		},
	);

	it.each<[string, Partial<CodecOptions>]>([
		["without fragments and export table", { fragmentRule: "none", exportable: false }],
		["with every tail in a fragment", { fragmentRule: "all-tails" }],
		["with the x86 filter", { codec: "xz", bcj: "x86" }],
	])("reads everything back %s", async (_, options) => {
		const { tree, root } = richTree(16 * KiB);
		const partsOf = (file: FileInode) => tree.contents.get(file) ?? [];
		await writeImageFile(image, root, partsOf, { codec: "gzip", level: 1, blockBytes: 16 * KiB, ...options });
		const expected = await treeFacts<FileInode>(root, (file) => withZeros(partsOf(file)));
		await withLoopMount(image, "squashfs", {}, async (mountPoint) => {
			expect(await diskFacts(mountPoint)).toEqual(expected);
			const text = execFileSync("getcap", [join(mountPoint, "program")]).toString();
			expect(text).toContain("cap_net_bind_service=ep");
		});
	});

	it("reads an empty root", async () => {
		const tree = new TreeBuilder();
		await writeImageFile(image, tree.directory(), () => [], { codec: "zstd", blockBytes: 128 * KiB });
		expect([...(await withLoopMount(image, "squashfs", {}, diskFacts)).keys()]).toEqual([""]);
	});

	it("reads each of three images with the same blocks", async () => {
		const trees = [richTree(16 * KiB), richTree(16 * KiB), richTree(16 * KiB)];
		for (const [i, { tree, root }] of trees.entries()) {
			root.entries.set("own", tree.file(noise(50_000, 100 + i)));
			root.entries.delete(["program", "many", "names"][i] ?? "");
		}
		const { ends, blockBytes } = await writeImages(trees, { codec: "zstd", blockBytes: 16 * KiB });
		const together = statSync(image).size;
		for (const [i, { tree, root }] of trees.entries()) {
			const expected = await treeFacts<FileInode>(root, (file) => withZeros(tree.contents.get(file) ?? []));
			const place = { offsetBytes: i * HEAD_BYTES, sizeBytes: (ends[i] ?? 0) - i * HEAD_BYTES };
			expect(await withLoopMount(image, "squashfs", place, diskFacts)).toEqual(expected);
			const source = region(memorySource(readFileSync(image)), place.offsetBytes, place.sizeBytes);
			expect(await imageFileFacts(source)).toEqual(expected);
			const findings = new Findings("S", 100);
			expect(await SQUASHFS.check(source, findings, undefined)).toMatchObject({ blockBytes });
			expect(findings.list).toEqual([]);
		}
		await writeImages(trees.slice(0, 1), { codec: "zstd", blockBytes });
		expect(together).toBeLessThan(1.25 * statSync(image).size);
	});

	it("reads a sparse file of 5 GiB, and says how little of it is there", async () => {
		const tree = new TreeBuilder();
		const root = tree.directory({ sparse: tree.file(SPARSE_PARTS), hole: tree.file([{ hole: 5 * GiB }]) });
		await writeImageFile(image, root, (file) => tree.contents.get(file) ?? [], {
			codec: "zstd",
			blockBytes: 128 * KiB,
		});
		await withLoopMount(image, "squashfs", {}, async (mountPoint) => {
			const { blocks } = expectSparseFile(join(mountPoint, "sparse"));
			expect(blocks * 512).toBeLessThan(1_000_000);
			expect(lstatSync(join(mountPoint, "hole"))).toMatchObject({ size: 5 * GiB, blocks: 0 });
		});
	});

	it("finds names in a directory of 100 000 at once", async () => {
		const tree = new TreeBuilder();
		const target = tree.file("shared");
		const large = tree.directory();
		const count = 100_000;
		for (let i = 0; i < count; i++) large.entries.set(`entry-${i}`, i % 10 === 0 ? tree.symlink(`${i}`) : target);
		const options = { codec: "lz4", blockBytes: 128 * KiB } as const;
		await writeImageFile(image, tree.directory({ large }), (file) => tree.contents.get(file) ?? [], options);
		await withLoopMount(image, "squashfs", {}, async (mountPoint) => {
			const start = performance.now();
			for (let i = 0; i < 200; i++) {
				const number = (i * 7919 * 61) % count;
				expect(lstatSync(join(mountPoint, "large", `entry-${number}`)).isSymbolicLink()).toBe(number % 10 === 0);
			}
			expect((performance.now() - start) / 200).toBeLessThan(20);
			expect(readdirSync(join(mountPoint, "large")).length).toBe(count);
			expect(lstatSync(join(mountPoint, "large/entry-1")).nlink).toBe(90_000);
		});
	});

	it("reads files that begin beyond 4 GiB, from a file longer than that", async () => {
		const MiB = 1024 * KiB;
		const tree = new TreeBuilder();
		const blocks = 4300;
		const marked = (i: number): Buffer => {
			const block = Buffer.alloc(MiB);
			block.writeUInt32LE(i + 1);
			return block;
		};
		const root = tree.directory({
			first: { ...tree.file(""), byteLength: blocks * MiB },
			second: tree.file(noise(3 * MiB + 5, 1)),
			third: tree.file("small"),
		});
		function* partsOf(file: FileInode): Generator<ContentPart> {
			if (file.byteLength < blocks * MiB) yield* tree.contents.get(file) ?? [];
			else for (let i = 0; i < blocks; i++) yield marked(i);
		}
		// Stored as they are, the blocks end in zeros, which the image file keeps as holes.
		await writeImageFile(image, root, partsOf, { codec: "none", blockBytes: MiB, holes: true });
		await withLoopMount(image, "squashfs", {}, async (mountPoint) => {
			expect(readFileSync(join(mountPoint, "second")).equals(noise(3 * MiB + 5, 1))).toBe(true);
			expect(readFileSync(join(mountPoint, "third"), "utf8")).toBe("small");
			const file = openSync(join(mountPoint, "first"), "r");
			try {
				for (const i of [0, 1, 4095, 4096, blocks - 1]) {
					const block = Buffer.alloc(MiB);
					expect(readSync(file, block, 0, MiB, i * MiB)).toBe(MiB);
					expect(block.equals(marked(i))).toBe(true);
				}
			} finally {
				closeSync(file);
			}
		});
	});
});
