import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memorySource } from "../../../src/binary/byte-source.ts";
import { DataWriter } from "../../../src/content/data-writer.ts";
import { type Placement, UNALIGNED } from "../../../src/content/placement.ts";
import type { StoredFile } from "../../../src/content/stored-data.ts";
import { noise } from "../../support/noise.ts";
import { MemorySink, TreeBuilder } from "../../support/trees.ts";
import { zlibCompressor, zlibDecompressor } from "../../support/zlib-compressor.ts";
import { imageFacts, inputFacts, makeImage } from "../rootfs/squashfs/harness.ts";

const BLOCK = 4096;
const GiB = 2 ** 30;
const PLACEMENT: Placement = {
	...UNALIGNED,
	blockBytes: BLOCK,
	start: 96,
	fragmentRule: "small-files",
	maxBlocks: 2 ** 28,
};

async function contentOf(sink: MemorySink, writer: DataWriter, file: StoredFile): Promise<Buffer> {
	const chunks: Uint8Array[] = [];
	const reader = writer.reader(memorySource(sink.bytes()), zlibDecompressor);
	for await (const chunk of reader.read(writer.layoutOf(file))) chunks.push(Buffer.from(chunk));
	return Buffer.concat(chunks);
}

function makeWriter(resultsPerTurn?: number, placement: Partial<Placement> = {}) {
	const sink = new MemorySink();
	const compressor = zlibCompressor({ blockBytes: BLOCK, resultsPerTurn });
	return { sink, compressor, writer: new DataWriter({ ...PLACEMENT, ...placement }, { sink, compressor }) };
}

describe("file contents", () => {
	it.each(["before", "behind"] as const)("fill their units where a format aligns blocks, zeros %s", async (padding) => {
		const alignment = 512;
		const { sink, writer } = makeWriter(undefined, { start: 1024, alignment, padding, fragmentRule: "none" });
		const text = Buffer.alloc(2 * BLOCK + 100, "text ");
		const contents = [text, noise(BLOCK + 10, 2), Buffer.concat([text, noise(700, 5)]), text];
		const stored = contents.map((content) => {
			writer.beginFile();
			writer.append(content);
			return writer.endFile();
		});
		await writer.finish();
		for (const [i, file] of stored.entries()) expect(await contentOf(sink, writer, file)).toEqual(contents[i]);
		expect(writer.end % alignment).toBe(0);
		const { firstBlock, blocks } = writer.layoutOf(stored[0] as StoredFile);
		const [size = 0] = [...(blocks.chunks() as Iterable<Uint32Array>)][0] ?? [];
		expect(firstBlock).toBe(padding === "before" ? 1024 + alignment - size : 1024);
		expect(sink.readNow(1024, padding === "before" ? alignment - size : 0).every((byte) => byte === 0)).toBe(true);
	});

	it("are stored once when equal, whether small, held or streamed, and whatever follows", async () => {
		const tree = new TreeBuilder();
		const sizes = [100, 50_000, 1024 * 1024, 1024 * 1024 + 1, 3_000_000];
		const entries = sizes.flatMap((size, i) => [
			[`${i}-a`, tree.file(noise(size, size))] as const,
			[`${i}-b`, tree.file(noise(size, size))] as const,
			[`${i}-c`, tree.file(noise(size + 5, size))] as const,
		]);
		const root = tree.directory(Object.fromEntries([...entries, ["z", tree.file(noise(3_000_000, 3_000_000))]]));
		const { image, summary } = await makeImage(tree, root, { stored: true });
		expect(await imageFacts(image)).toEqual(await inputFacts(tree, root));
		const unique = sizes.reduce((sum, size) => sum + 2 * size + 5, 0);
		expect(summary.data.duplicateFiles).toBe(sizes.length + 1);
		expect(summary.data.duplicateBytes).toBe(sizes.reduce((sum, size) => sum + size, 0) + 3_000_000);
		expect(summary.data.storedBytes).toBe(unique);
		expect(summary.data.blocks).toBe(summary.data.rawBlocks - summary.data.fragmentBlocks);
	});

	it("are not compressed a second time when small", async () => {
		const { writer, compressor } = makeWriter();
		let submitted = 0;
		const submit = compressor.submit;
		compressor.submit = (...call) => {
			submitted++;
			submit(...call);
		};
		for (let i = 0; i < 5; i++) {
			writer.beginFile();
			writer.append(noise(40_000, 1));
			writer.endFile();
		}
		await writer.finish();
		expect(submitted).toBe(10);
	});

	it("are the same file when zeros were given as data and as a hole", async () => {
		const tree = new TreeBuilder();
		const zeros = new Uint8Array(10 * BLOCK);
		const root = tree.directory({
			data: tree.file([noise(5000, 1), zeros, noise(10, 2)]),
			hole: tree.file([noise(5000, 1), { hole: 10 * BLOCK }, noise(10, 2)]),
			other: tree.file([noise(5000, 1), noise(10, 2), { hole: 10 * BLOCK }]),
		});
		const { image, summary } = await makeImage(tree, root);
		expect(summary.data.duplicateFiles).toBe(1);
		expect(await imageFacts(image)).toEqual(await inputFacts(tree, root));
	});

	it("tell contents apart that differ only in where their holes are", async () => {
		const tree = new TreeBuilder();
		const [a, b] = [noise(BLOCK, 1), noise(BLOCK, 2)];
		const root = tree.directory({
			x: tree.file([a, { hole: BLOCK }, b]),
			y: tree.file([{ hole: BLOCK }, a, b]),
			z: tree.file([a, b, { hole: BLOCK }]),
		});
		const { image, summary } = await makeImage(tree, root);
		expect(summary.data.duplicateFiles).toBe(0);
		expect(await imageFacts(image)).toEqual(await inputFacts(tree, root));
	});

	it("have holes of gigabytes at no cost, and say what holes save", async () => {
		const { sink, writer } = makeWriter();
		writer.beginFile();
		writer.append(Buffer.from("begin"));
		writer.appendHole(5 * GiB);
		writer.append(Buffer.from("end"));
		const file = writer.endFile();
		await writer.finish();
		expect(file.byteLength).toBe(5 * GiB + 8);
		expect(file.sparseBytes).toBe(5 * GiB - BLOCK);
		expect(sink.bytes().byteLength).toBeLessThan(1000);
		expect(writer.layoutOf(file).blocks.count).toBe((5 * GiB) / BLOCK + 1);
	});

	it("may have as many holes as they have blocks", async () => {
		const compressor = zlibCompressor({ blockBytes: BLOCK, resultsPerTurn: 1000, stored: true });
		const sink = { write: () => undefined, readNow: (_: number, length: number) => Buffer.alloc(length) };
		const writer = new DataWriter(PLACEMENT, { sink, compressor });
		const block = Buffer.alloc(BLOCK, 1);
		writer.beginFile();
		for (let i = 0; i < 150_000; i++) {
			writer.append(block);
			writer.appendHole(BLOCK);
			if (i % 1000 === 0) await writer.settle();
		}
		const file = writer.endFile();
		await writer.finish();
		expect(file).toMatchObject({ byteLength: 300_000 * BLOCK, sparseBytes: 150_000 * BLOCK });
		expect(writer.layoutOf(file).blocks.count).toBe(300_000);
	});

	it("cost an error when the holes of a hostile file are endless", async () => {
		const { writer } = makeWriter();
		writer.beginFile();
		expect(() => writer.appendHole(2 ** 52)).toThrow(
			expect.objectContaining({ code: "TOO_MANY_BLOCKS", exitStatus: 3 }),
		);
	});

	it("go into fragments below one block only, or always, or never", async () => {
		const tree = new TreeBuilder();
		const root = tree.directory({ small: tree.file(noise(100, 1)), large: tree.file(noise(BLOCK + 100, 2)) });
		const blocksOf = async (settings: object) => {
			const { summary } = await makeImage(tree, root, settings);
			return [summary.data.blocks, summary.fragments];
		};
		expect(await blocksOf({})).toEqual([2, 1]);
		expect(await blocksOf({ fragmentRule: "all-tails" })).toEqual([1, 1]);
		expect(await blocksOf({ fragmentRule: "none" })).toEqual([3, 0]);
	});

	it("pass a failure of the sink on through settle", async () => {
		const compressor = zlibCompressor({ blockBytes: BLOCK });
		const sink = {
			write() {
				throw new Error("disk full");
			},
			readNow: () => Buffer.alloc(0),
		};
		const writer = new DataWriter(PLACEMENT, { sink, compressor, maxPendingBlocks: 1 });
		writer.beginFile();
		writer.append(noise(5_000_000, 1));
		await expect(writer.settle()).rejects.toThrow("disk full");
	});

	it("are bounded in flight by settle", async () => {
		const { writer, compressor } = makeWriter(1);
		const bounded = new DataWriter(PLACEMENT, { sink: new MemorySink(), compressor, maxPendingBlocks: 3 });
		expect(writer).toBeDefined();
		bounded.beginFile();
		for (let i = 0; i < 400; i++) {
			bounded.append(noise(BLOCK, i));
			await bounded.settle();
			expect(compressor.pending).toBeLessThanOrEqual(3 + 257);
		}
		expect(compressor.pending).toBeLessThanOrEqual(3);
	});
});

describe("the bytes of an image", () => {
	it("do not depend on how fast blocks come back or how contents are cut", async () => {
		const piece = fc.record({ seed: fc.nat({ max: 3 }), length: fc.nat({ max: 30_000 }), zero: fc.boolean() });
		await fc.assert(
			fc.asyncProperty(
				fc.array(fc.array(piece, { maxLength: 3 }), { maxLength: 10 }),
				fc.integer({ min: 1, max: 50 }),
				fc.integer({ min: 1, max: 9000 }),
				async (files, resultsPerTurn, pieceBytes) => {
					const tree = new TreeBuilder();
					const entries = files.map((pieces, i) => [
						`f${i}`,
						tree.file(pieces.map(({ seed, length, zero }) => (zero ? new Uint8Array(length) : noise(length, seed)))),
					]);
					const root = tree.directory(Object.fromEntries(entries));
					const oracle = await makeImage(tree, root, { resultsPerTurn: 1 });
					const other = await makeImage(tree, root, { resultsPerTurn, pieceBytes });
					expect(other.image.equals(oracle.image)).toBe(true);
				},
			),
			{ seed: 20261121, numRuns: 60 },
		);
	});
});
