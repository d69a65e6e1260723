import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { atOnce } from "../../../../src/binary/turns.ts";
import { BlockTable } from "../../../../src/content/block-table.ts";
import type { FileRecipe, TailSource } from "../../../../src/content/file-recipe.ts";
import type { StoredBlocks } from "../../../../src/content/stored-blocks.ts";
import { STORED_RAW } from "../../../../src/rootfs/squashfs/constants.ts";
import { SquashfsWriter } from "../../../../src/rootfs/squashfs/squashfs-writer.ts";
import { MemorySink } from "../../../support/trees.ts";
import { zlibCompressor, zlibDecompressor } from "../../../support/zlib-compressor.ts";

const BLOCK = 4096;

function text(seed: number, byteLength: number): Buffer {
	const words = Array.from({ length: Math.ceil(byteLength / 20) }, (_, i) =>
		`${seed * 7919 + i} of ${seed} `.padEnd(20),
	);
	return Buffer.from(words.join("")).subarray(0, byteLength);
}

/** Blocks of images that were written before, in memory. */
class Kept implements StoredBlocks {
	readonly #blocks = new Map<string, { compressed: boolean; bytes: Buffer; rawBytes: number }>();
	reads = 0;

	keep(sink: MemorySink, writer: SquashfsWriter): void {
		for (const { kind, key, position, size, rawBytes } of atOnce(
			writer.data.placedBlocks({ blocks: 0, fragments: 0 }),
		)) {
			const bytes = Buffer.from(sink.readNow(position, size & (STORED_RAW - 1)));
			this.#blocks.set(nameOf(kind, key), { compressed: (size & STORED_RAW) === 0, bytes, rawBytes });
		}
	}

	forget(share: (name: string) => boolean): void {
		for (const name of [...this.#blocks.keys()]) if (share(name)) this.#blocks.delete(name);
	}

	hasBlock = (key: Uint8Array) => this.#blocks.has(nameOf("block", key));
	hasFragment = (key: Uint8Array) => this.#blocks.has(nameOf("fragment", key));
	block = (key: Uint8Array, rawBytes: number) => this.#stored("block", key, rawBytes);
	fragment = (key: Uint8Array, rawBytes: number) => this.#stored("fragment", key, rawBytes);

	tail({ fragment, offset }: TailSource, byteLength: number): Uint8Array {
		const { compressed, bytes } = this.#read("fragment", fragment);
		return (compressed ? zlibDecompressor.decompress(bytes, BLOCK) : bytes).subarray(offset, offset + byteLength);
	}

	#stored(kind: "block" | "fragment", key: Uint8Array, rawBytes: number) {
		const { compressed, bytes } = this.#read(kind, key, rawBytes);
		return { compressed, byteLength: bytes.byteLength, read: () => bytes };
	}

	#read(kind: "block" | "fragment", key: Uint8Array, rawBytes?: number) {
		const found = this.#blocks.get(nameOf(kind, key));
		if (found === undefined) throw new Error("asked for a block that is not there");
		if (rawBytes !== undefined) expect(found.rawBytes).toBe(rawBytes);
		this.reads++;
		return found;
	}
}

function nameOf(kind: string, key: Uint8Array): string {
	return `${kind} ${Buffer.from(key).toString("hex")}`;
}

interface Described {
	readonly recipe: FileRecipe;
	readonly tail: TailSource | undefined;
}

async function writeData(contents: readonly (Buffer | Described)[], earlier?: StoredBlocks) {
	const sink = new MemorySink();
	const compressor = zlibCompressor({ blockBytes: BLOCK });
	let submitted = 0;
	const { submit } = compressor;
	compressor.submit = (...call) => {
		submitted++;
		submit(...call);
	};
	const writer = new SquashfsWriter({ sink, compressor, blockBytes: BLOCK, modificationTimeSeconds: 0, earlier });
	const made: { recipe: FileRecipe; place: { index: number; offset: number } | undefined }[] = [];
	for (const content of contents) {
		const describeFile = (recipe: FileRecipe, place: (typeof made)[number]["place"]) => made.push({ recipe, place });
		if ("recipe" in content) writer.data.appendRecipe(content.recipe, content.tail, describeFile);
		else {
			writer.data.beginFile();
			writer.data.append(content);
			writer.data.endFile(describeFile);
		}
	}
	writer.data.endLayer();
	const described = made.map(({ recipe, place }) => ({
		recipe,
		tail: place && { fragment: writer.data.fragmentKey(place.index), offset: place.offset },
	}));
	await writer.data.finish();
	return { bytes: sink.bytes(), sink, writer, described, submitted };
}

const contents = fc.array(
	fc
		.record({ seed: fc.nat({ max: 30 }), length: fc.nat({ max: 20_000 }), zeros: fc.boolean() })
		.map(({ seed, length, zeros }) =>
			zeros ? Buffer.concat([text(seed, length), Buffer.alloc(9000), text(seed, 100)]) : text(seed, length),
		),
	{ minLength: 1, maxLength: 25 },
);

describe("data with blocks that were compressed before", () => {
	it("has the same bytes, from contents or by reference, and compresses nothing again", async () => {
		await fc.assert(
			fc.asyncProperty(contents, async (files) => {
				const first = await writeData(files);
				const kept = new Kept();
				kept.keep(first.sink, first.writer);
				for (const again of [files, first.described]) {
					const second = await writeData(again, kept);
					expect(second.bytes.equals(first.bytes)).toBe(true);
					expect(second.submitted).toBe(0);
					expect(second.described).toEqual(first.described);
				}
			}),
			{ seed: 20261121, numRuns: 60 },
		);
	});

	it("has the same bytes when some blocks are gone, and when files come and go", async () => {
		await fc.assert(
			fc.asyncProperty(contents, contents, fc.nat({ max: 15 }), async (files, others, digit) => {
				const first = await writeData(files);
				const kept = new Kept();
				kept.keep(first.sink, first.writer);
				kept.forget((name) => name.endsWith(digit.toString(16)));
				const mixed = [...others.slice(0, 5), ...files.slice(0, -1), ...others.slice(5)];
				const plain = await writeData(mixed);
				expect((await writeData(mixed, kept)).bytes.equals(plain.bytes)).toBe(true);
			}),
			{ seed: 20261121, numRuns: 60 },
		);
	});
});

describe("the table of blocks", () => {
	it("finds what was added and nothing else, however many there are", () => {
		const table = new BlockTable();
		const hashOf = (i: number): Buffer => createHash("sha256").update(String(i)).digest();
		for (let i = 0; i < 5000; i++) {
			expect(table.find(hashOf(i))).toBe(-1);
			expect(table.add(hashOf(i), i)).toBe(i);
			table.setPlace(i, 2 ** 40 + i, i | (i % 2 === 0 ? STORED_RAW : 0), i % 3 === 0);
		}
		for (let i = 0; i < 5000; i++) {
			expect(table.find(hashOf(i))).toBe(i);
			expect(table.hash(i).equals(hashOf(i))).toBe(true);
			expect([table.position(i), table.size(i), table.rawBytes(i), table.isReused(i)]).toEqual([
				2 ** 40 + i,
				i | (i % 2 === 0 ? STORED_RAW : 0),
				i,
				i % 3 === 0,
			]);
		}
		expect(table.find(hashOf(5000))).toBe(-1);
	});
});
