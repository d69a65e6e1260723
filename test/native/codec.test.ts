import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { inflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KiB, MiB } from "../../src/binary/units.ts";
import { codecTable } from "../../src/codec/codec-table.ts";
import { createCompressor } from "../../src/codec/compressor.ts";
import { createDecompressor } from "../../src/codec/decompressor.ts";
import { kernelRefusal } from "../../src/codec/kernel-limits.ts";
import { loadLzmaPackage } from "../../src/codec/lzma-package.ts";
import { patternedBytes } from "../../src/codec/self-test.ts";
import type { BlockCompressor, BranchFilter, CodecName } from "../../src/codec/types.ts";
import { decodeXzContainer, decodeXzHeaders } from "../../src/codec/xz-container.ts";
import { addonMissing, nativeAddon } from "./addon-required.ts";

const seed = 20;
const codecs = (["zstd", "gzip", "xz", "lz4"] as const).filter(
	(codec) => addonMissing || nativeAddon().codecs[codec] !== undefined,
);

/** Bytes between text and noise: `noisePercent` of every 64 are unpredictable. */
function mixedBytes(byteLength: number, noisePercent: number, salt: number): Buffer {
	const bytes = patternedBytes(byteLength);
	let state = salt + 1;
	for (let at = 0; at < byteLength; at++) {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		if ((at * 100) % 6400 < noisePercent * 64) bytes[at] = state >>> 24;
	}
	return bytes;
}

function submit(compressor: BlockCompressor, block: Uint8Array, done: (compressed: boolean, bytes: Buffer) => void) {
	const buffer = compressor.acquire();
	buffer.set(block);
	compressor.submit(buffer, block.byteLength, ({ compressed, bytes }) => done(compressed, Buffer.from(bytes)));
}

const open = (codec: CodecName, blockBytes: number, threads = 2, level?: number): Promise<BlockCompressor> =>
	createCompressor({ codec, blockBytes, threads, level, backend: "native" });

describe.skipIf(addonMissing)("native compressor", () => {
	it.each(codecs)("names the encoder of %s", async (codec) => {
		const compressor = await open(codec, 128 * KiB);
		expect(compressor.encoder).toMatch(/^(zstd|libdeflate|zlib|liblzma|lz4) \d+\.\d+\S* \(native addon\)$/);
		expect(compressor.level).toBe(codecTable[codec].defaultLevel);
		await compressor.close();
	});

	describe.each(codecs)("%s", (codec) => {
		it.each([4 * KiB, 128 * KiB, MiB])(
			"makes blocks of %i bytes that both decoders and the kernel take",
			async (blockBytes) => {
				const compressor = await open(codec, blockBytes);
				const native = createDecompressor(codec, { backend: "native" });
				const portableExists = codec !== "xz" || loadLzmaPackage().lzma !== undefined;
				const portable = portableExists ? createDecompressor(codec, { backend: "portable" }) : undefined;
				let blocks = 0;
				const check = (block: Buffer, compressed: boolean, bytes: Uint8Array): void => {
					blocks++;
					if (!compressed) {
						expect(block.equals(bytes)).toBe(true);
						return;
					}
					expect(bytes.byteLength).toBeLessThan(block.byteLength);
					expect(kernelRefusal(codec, bytes, blockBytes)).toBeUndefined();
					expect(block.equals(native.decompress(bytes, blockBytes))).toBe(true);
					if (portable !== undefined) expect(block.equals(portable.decompress(bytes, blockBytes))).toBe(true);
					if (codec === "xz") expect(decodeXzContainer(bytes)).toMatchObject({ contentBytes: block.byteLength });
				};
				for (const noise of [0, 30, 100]) {
					for (const length of [1, 2, 100, blockBytes - 1, blockBytes]) {
						const block = mixedBytes(length, noise, length);
						submit(compressor, block, (compressed, bytes) => check(block, compressed, bytes));
					}
					const metadata = mixedBytes(blockBytes, noise, 7).subarray(0, 8 * KiB);
					const now = compressor.compressNow(metadata);
					check(metadata, now.compressed, now.bytes);
				}
				await compressor.settle(0);
				expect(blocks).toBe(18);
				await compressor.close();
			},
		);

		it("has all its levels", async () => {
			const { min, max } = codecTable[codec].levels ?? { min: 0, max: 0 };
			const described = nativeAddon().codecs[codec];
			const sizes: number[] = [];
			const block = mixedBytes(64 * KiB, 10, 1);
			for (let level = min; level <= (described?.maxLevel ?? max); level++) {
				const compressor = await open(codec, 64 * KiB, 1, level);
				submit(compressor, block, (compressed, bytes) => {
					expect(compressed).toBe(true);
					expect(kernelRefusal(codec, bytes, 64 * KiB)).toBeUndefined();
					sizes.push(bytes.byteLength);
				});
				await compressor.settle(0);
				await compressor.close();
			}
			expect(sizes.at(-1) ?? 0).toBeLessThanOrEqual(sizes[0] ?? 0);
			expect(sizes).toHaveLength((described?.maxLevel ?? max) - min + 1);
		});

		it("stores what does not shrink", async () => {
			const compressor = await open(codec, 16 * KiB);
			const noise = mixedBytes(16 * KiB, 100, 3);
			submit(compressor, noise, (compressed, bytes) => {
				expect(compressed).toBe(false);
				expect(bytes.equals(noise)).toBe(true);
			});
			await compressor.settle(0);
			const now = compressor.compressNow(noise.subarray(0, 8 * KiB));
			expect(now.compressed).toBe(false);
			expect(noise.subarray(0, 8 * KiB).equals(now.bytes)).toBe(true);
			await compressor.close();
		});
	});

	const blockShape = fc.record({
		length: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 32 * KiB })),
		noise: fc.constantFrom(0, 5, 40, 100),
		salt: fc.nat(9),
	});
	const operation = fc.oneof(
		{ weight: 8, arbitrary: fc.record({ submit: blockShape }) },
		{ weight: 1, arbitrary: fc.constant({ after: true } as const) },
		{ weight: 1, arbitrary: fc.record({ settle: fc.nat(8) }) },
		{ weight: 1, arbitrary: fc.record({ now: blockShape }) },
	);

	const threadCases = [
		["zstd", 1],
		["zstd", 6],
		["zstd", 15],
		["gzip", 6],
		["lz4", 0],
		["lz4", 9],
		["xz", 1],
	] as const;
	it.each(threadCases.filter(([codec]) => codecs.includes(codec)))(
		"gives the same bytes in the same order for 1, 2 and 8 threads: %s %i",
		async (codec, level) => {
			const digestWith = async (
				operations: readonly (typeof operation extends fc.Arbitrary<infer T> ? T : never)[],
				threads: number,
			) => {
				const compressor = await open(codec, 32 * KiB, threads, level);
				const hash = createHash("sha256");
				const called: number[] = [];
				const expected: number[] = [];
				for (const [index, step] of operations.entries()) {
					if ("submit" in step) {
						const { length, noise, salt } = step.submit;
						expected.push(index);
						submit(compressor, mixedBytes(length, noise, salt), (compressed, bytes) => {
							called.push(index);
							hash.update(`${index} ${compressed} ${bytes.byteLength}\0`).update(bytes);
						});
					} else if ("after" in step) {
						expected.push(index);
						compressor.after(() => called.push(index));
					} else if ("settle" in step) {
						await compressor.settle(step.settle);
						expect(compressor.pending).toBeLessThanOrEqual(step.settle);
					} else {
						const { length, noise, salt } = step.now;
						compressor.compressNow(mixedBytes(length, noise, salt).subarray(0, 8 * KiB));
					}
				}
				await compressor.settle(0);
				await compressor.close();
				expect(called).toEqual(expected);
				return hash.digest("hex");
			};
			await fc.assert(
				fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async (operations) => {
					const one = await digestWith(operations, 1);
					expect(await digestWith(operations, 2)).toBe(one);
					expect(await digestWith(operations, 8)).toBe(one);
				}),
				{ seed, numRuns: 15 },
			);
		},
	);

	it.skipIf(!codecs.includes("xz"))("filters linked machine code before xz, and nothing else", async () => {
		const filtersOf = async (block: Uint8Array): Promise<number[]> => {
			const compressor = await open("xz", 128 * KiB, 1);
			let filters: number[] | undefined;
			submit(compressor, block, (_, bytes) => {
				const headers = decodeXzHeaders(bytes);
				filters = typeof headers === "string" ? undefined : headers.filters.map(({ id }) => id);
				expect(kernelRefusal("xz", bytes, 128 * KiB)).toBeUndefined();
				expect(Buffer.compare(createDecompressor("xz").decompress(bytes, 128 * KiB), block)).toBe(0);
				expect(() => createDecompressor("xz", { backend: "portable" }).decompress(bytes, 128 * KiB)).toThrow();
			});
			await compressor.settle(0);
			await compressor.close();
			return filters ?? [];
		};
		// a call of one of 50 functions every 16 bytes
		const code = patternedBytes(128 * KiB);
		for (let at = 0; at < code.byteLength; at += 16) {
			code[at] = 0xe8;
			code.writeInt32LE(1000 * ((at * 7) % 50) - at - 5, at + 1);
		}
		expect(await filtersOf(code)).toEqual([4, 0x21]);
		expect(await filtersOf(patternedBytes(128 * KiB))).toEqual([0x21]);
		// calls whose targets a linker is to fill in
		const object = Buffer.from(code);
		for (let at = 0; at + 5 <= object.byteLength; at++) if (object[at] === 0xe8) object.fill(0, at + 1, at + 5);
		expect(await filtersOf(object)).toEqual([0x21]);
	});

	it("encodes a block the same whatever the context encoded before", async () => {
		for (const [codec, level] of [
			["zstd", 3],
			["zstd", 7],
			["zstd", 16],
			["gzip", 6],
			["lz4", 0],
		] as const) {
			const block = mixedBytes(128 * KiB, 20, 5);
			const results = new Set<string>();
			const used = await open(codec, 128 * KiB, 1, level);
			for (let i = 0; i < 40; i++) {
				submit(used, mixedBytes(1 + i * 3000, (i * 13) % 60, i), () => undefined);
				submit(used, block, (_, bytes) => results.add(bytes.toString("base64")));
			}
			await used.settle(0);
			await used.close();
			expect(results.size).toBe(1);
		}
	});

	it("never has more than asked for in flight", async () => {
		const compressor = await open("zstd", 128 * KiB, 2, 3);
		const block = mixedBytes(128 * KiB, 20, 1);
		const buffers = new Set<Buffer>();
		let done = 0;
		for (let i = 0; i < 300; i++) {
			const buffer = compressor.acquire();
			buffers.add(buffer);
			block.copy(buffer);
			compressor.submit(buffer, block.byteLength, () => done++);
			await compressor.settle(6);
			expect(compressor.pending).toBe(i + 1 - done);
			expect(compressor.pending).toBeLessThanOrEqual(6);
		}
		await compressor.settle(0);
		expect(done).toBe(300);
		expect(buffers.size).toBeLessThanOrEqual(7);
		await compressor.close();
	});

	it("delivers without anyone waiting", async () => {
		const compressor = await open("gzip", 128 * KiB);
		const order: number[] = [];
		await new Promise<void>((resolve) => {
			for (let i = 0; i < 50; i++) submit(compressor, mixedBytes(1 + i * 2000, 10, i), () => order.push(i));
			expect(order).toEqual([]);
			compressor.after(resolve);
		});
		expect(order).toEqual(Array.from({ length: 50 }, (_, i) => i));
		await compressor.close();
	});

	it("rejects settle when a callback throws", async () => {
		const compressor = await open("lz4", 16 * KiB);
		let called = 0;
		for (let i = 0; i < 10; i++)
			submit(compressor, mixedBytes(9000, 10, i), () => {
				called++;
				if (i === 3) throw new Error("disk full");
			});
		await expect(compressor.settle(0)).rejects.toThrow("disk full");
		await expect(compressor.settle(0)).rejects.toThrow("disk full");
		expect(called).toBe(4);
		await compressor.close();
	});

	it("closes in the middle of work, twice", async () => {
		const compressor = await open("zstd", MiB, 2, 22);
		let called = 0;
		for (let i = 0; i < 12; i++) submit(compressor, mixedBytes(MiB, 30, i), () => called++);
		const settled = compressor.settle(0);
		await compressor.close();
		await compressor.close();
		await expect(settled).rejects.toMatchObject({ code: "COMPRESSOR_CLOSED" });
		await new Promise((resolve) => setTimeout(resolve, 50));
		expect(called).toBeLessThan(12);
		expect(() => submit(compressor, Buffer.alloc(5), () => undefined)).toThrow();
	});

	it("keeps memory bounded over 20 000 blocks", async () => {
		const compressor = await open("lz4", 128 * KiB);
		const block = mixedBytes(128 * KiB, 30, 1);
		const run = async (count: number): Promise<void> => {
			for (let i = 0; i < count; i++) {
				const buffer = compressor.acquire();
				buffer.set(block);
				compressor.submit(buffer, block.byteLength - (i % 999), () => undefined);
				await compressor.settle(8);
			}
			await compressor.settle(0);
		};
		await run(2000);
		const before = process.memoryUsage().rss;
		await run(20_000);
		expect(process.memoryUsage().rss - before).toBeLessThan(32 * MiB);
		await compressor.close();
	});

	it.each(codecs)("goes on with metadata blocks when closed: %s", async (codec) => {
		const compressor = await open(codec, 128 * KiB);
		const block = patternedBytes(8 * KiB);
		const before = compressor.compressNow(block);
		await compressor.close();
		expect(compressor.compressNow(block)).toEqual(before);
	});

	it("gives memory and threads back when closed", async () => {
		setFlagsFromString("--expose-gc");
		const collectGarbage: () => void = runInNewContext("gc");
		const threads = (): number => readdirSync("/proc/self/task").length;
		const run = async (): Promise<void> => {
			const compressor = await open("lz4", MiB, 4);
			for (let i = 0; i < 16; i++) submit(compressor, Buffer.alloc(MiB, i), () => undefined);
			await compressor.settle(0);
			await compressor.close();
		};
		const settleMemory = async (): Promise<void> => {
			for (let i = 0; i < 3; i++) {
				collectGarbage();
				await new Promise(setImmediate);
			}
		};
		await run();
		await settleMemory();
		const before = { bytes: process.memoryUsage().rss, threads: threads() };
		for (let i = 0; i < 20; i++) {
			await run();
			await settleMemory();
		}
		expect(threads()).toBe(before.threads);
		expect(process.memoryUsage().rss - before.bytes).toBeLessThan(128 * MiB);
	});
});

describe.skipIf(addonMissing)("native decompressor", () => {
	it("decodes what the portable gzip encoder makes, and the other way round", async () => {
		const block = mixedBytes(100_000, 20, 2);
		const portable = await createCompressor({ codec: "gzip", blockBytes: 128 * KiB, threads: 2, backend: "portable" });
		const native = await open("gzip", 128 * KiB);
		submit(portable, block, (_, bytes) => {
			expect(block.equals(createDecompressor("gzip", { backend: "native" }).decompress(bytes, 128 * KiB))).toBe(true);
		});
		submit(native, block, (_, bytes) => expect(inflateSync(bytes).equals(block)).toBe(true));
		await Promise.all([portable.settle(0), native.settle(0)]);
		await Promise.all([portable.close(), native.close()]);
	});

	it.each(codecs)("answers any %s bytes with a block that fits or CORRUPT_BLOCK", async (codec) => {
		const compressor = await open(codec, 16 * KiB);
		const source = mixedBytes(6000, 5, 1);
		const valid = Buffer.from(compressor.compressNow(source).bytes);
		await compressor.close();
		const decompressor = createDecompressor(codec, { backend: "native" });
		expect(source.equals(decompressor.decompress(valid, 6000))).toBe(true);
		expect(() => decompressor.decompress(valid, 5999)).toThrow(expect.objectContaining({ code: "CORRUPT_BLOCK" }));
		expect(() => decompressor.decompress(valid.subarray(0, -1), 6000)).toThrow(
			expect.objectContaining({ code: "CORRUPT_BLOCK" }),
		);
		const mutated = fc
			.array(fc.tuple(fc.nat(valid.byteLength - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
			.map((changes) => {
				const bytes = Buffer.from(valid);
				for (const [at, value] of changes) bytes[at] = value;
				return bytes;
			});
		fc.assert(
			fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), mutated), fc.nat(9000), (block, maxBytes) => {
				try {
					const decoded = decompressor.decompress(block, maxBytes);
					expect(decoded.byteLength).toBeGreaterThan(0);
					expect(decoded.byteLength).toBeLessThanOrEqual(maxBytes);
				} catch (error) {
					expect(error).toMatchObject({ code: "CORRUPT_BLOCK" });
				}
			}),
			{ seed, numRuns: 1000 },
		);
	});

	it.skipIf(nativeAddon().codecs.xz === undefined)(
		"takes the shorter of a block with a branch filter and without one",
		async () => {
			const text = mixedBytes(512 * KiB, 5, 1);
			const made = async (content: Buffer, bcj: BranchFilter) => {
				const compressor = await createCompressor({ codec: "xz", blockBytes: MiB, threads: 2, level: 1, bcj });
				let block: Buffer = Buffer.alloc(0);
				submit(compressor, content, (_, bytes) => (block = bytes));
				await compressor.settle(0);
				await compressor.close();
				expect(kernelRefusal("xz", block, MiB)).toBeUndefined();
				expect(content.equals(createDecompressor("xz").decompress(block, MiB))).toBe(true);
				const headers = decodeXzHeaders(block);
				return {
					byteLength: block.byteLength,
					filters: typeof headers === "string" ? [] : headers.filters.map(({ id }) => id),
				};
			};
			for (const [content, bcj, id] of [
				[calls(20_000, 0xe8), "x86", 4],
				[calls(20_000, 0x94), "arm64", 10],
			] as const) {
				const plain = await made(content, "none");
				const filtered = await made(content, bcj);
				expect([plain.filters, filtered.filters]).toEqual([[0x21], [id, 0x21]]);
				expect(filtered.byteLength).toBeLessThan(plain.byteLength);
				expect((await made(text, bcj)).filters).toEqual([0x21]);
			}
		},
	);

	it("has filters for xz alone, and none that is portable", async () => {
		const settings = { blockBytes: 4 * KiB, threads: 1 };
		for (const codec of ["zstd", "gzip", "lz4", "none"] as const)
			await expect(createCompressor({ ...settings, codec, bcj: "x86" })).rejects.toMatchObject({
				code: "INVALID_OPTION",
				where: "bcj",
			});
		const portable = createCompressor({ ...settings, codec: "xz", bcj: "x86", backend: "portable" });
		await expect(portable).rejects.toMatchObject({ code: "CODEC_UNAVAILABLE" });
	});
});

/** Calls from everywhere to a few functions, of x86 (E8) or AArch64 (94, BL): each distance is another one, each target is not. */
function calls(count: number, opcode: 0xe8 | 0x94): Buffer {
	const isX86 = opcode === 0xe8;
	const step = isX86 ? 8 : 4;
	const code = Buffer.alloc(step * count, 0x90);
	for (let i = 0; i < count; i++) {
		const target = ((i * 7919) % 13) * 4096;
		if (isX86) code.writeInt32LE(target - step * i, code.writeUInt8(opcode, step * i));
		else code.writeUInt32LE(((opcode << 24) | ((target - i) & 0x3ffffff)) >>> 0, step * i);
	}
	return code;
}
