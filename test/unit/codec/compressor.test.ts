import { deflateSync, inflateSync } from "node:zlib";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createCompressor } from "../../../src/codec/compressor.ts";
import { createDecompressor } from "../../../src/codec/decompressor.ts";
import { patternedBytes, selfTestFailure } from "../../../src/codec/self-test.ts";
import type { BlockCompressor, CodecName } from "../../../src/codec/types.ts";
import { contentOf, zstdFrame } from "./zstd-frames.ts";

const KiB = 1024;
const portableGzip = { codec: "gzip", blockBytes: 128 * KiB, threads: 2, backend: "portable" } as const;

describe("createCompressor, portable", () => {
	it("compresses gzip with node's zlib and says so", async () => {
		const compressor = await createCompressor(portableGzip);
		expect(compressor).toMatchObject({ codec: "gzip", level: 9, pending: 0 });
		expect(compressor.encoder).toBe(`node zlib ${process.versions.zlib} (portable)`);
		const pattern = patternedBytes(128 * KiB);
		const buffer = compressor.acquire();
		pattern.copy(buffer);
		let decoded: Buffer | undefined;
		compressor.submit(buffer, pattern.byteLength, ({ compressed, bytes }) => {
			expect(compressed).toBe(true);
			decoded = inflateSync(bytes);
		});
		await compressor.settle(0);
		expect(decoded?.equals(pattern)).toBe(true);
		expect(inflateSync(compressor.compressNow(pattern.subarray(0, 8192)).bytes)).toEqual(pattern.subarray(0, 8192));
		await compressor.close();
	});

	it("has none for lz4, and says what to do", async () => {
		await expect(createCompressor({ ...portableGzip, codec: "lz4" })).rejects.toMatchObject({
			code: "CODEC_UNAVAILABLE",
			exitStatus: 2,
			what: expect.stringContaining("no usable lz4 encoder"),
			remedy: expect.stringMatching(/node .*scripts.build-native\.mjs.*--comp/),
		});
	});

	it("has no levels beyond zlib's", async () => {
		await expect(createCompressor({ ...portableGzip, level: 10 })).rejects.toMatchObject({
			code: "CODEC_UNAVAILABLE",
			what: expect.stringContaining("1 to 9"),
		});
	});

	it("stores without any backend", async () => {
		for (const backend of ["portable", "native", "auto"] as const) {
			const compressor = await createCompressor({ ...portableGzip, codec: "none", backend });
			expect(compressor).toMatchObject({ codec: "none", encoder: "none" });
			await compressor.close();
		}
	});

	it.each([
		[{ level: 13 }, "LEVEL_OUT_OF_RANGE"],
		[{ blockBytes: 2048 }, "INVALID_BLOCK_SIZE"],
		[{ blockBytes: 2 * 1024 * KiB }, "INVALID_BLOCK_SIZE"],
		[{ blockBytes: 100_000 }, "INVALID_BLOCK_SIZE"],
		[{ threads: 0 }, "INVALID_THREADS"],
		[{ threads: 1.5 }, "INVALID_THREADS"],
	])("refuses %o", async (wrong, code) => {
		await expect(createCompressor({ ...portableGzip, ...wrong })).rejects.toMatchObject({ code, kind: "usage" });
	});

	describe("with OCI2ISO_CODEC_BACKEND", () => {
		afterEach(() => vi.unstubAllEnvs());

		it("takes the environment's word", async () => {
			vi.stubEnv("OCI2ISO_CODEC_BACKEND", "portable");
			const compressor = await createCompressor({ codec: "gzip", blockBytes: 4096, threads: 1 });
			expect(compressor.encoder).toMatch(/portable/);
			await compressor.close();
		});

		it("refuses other words", async () => {
			vi.stubEnv("OCI2ISO_CODEC_BACKEND", "fast");
			await expect(createCompressor({ codec: "gzip", blockBytes: 4096, threads: 1 })).rejects.toMatchObject({
				code: "UNKNOWN_CODEC_BACKEND",
				kind: "usage",
			});
		});
	});
});

describe("self-test", () => {
	const compressorThatMakes = (codec: CodecName, encode: (block: Buffer) => Buffer): BlockCompressor => {
		let done: (() => void) | undefined;
		return {
			codec,
			level: 1,
			encoder: "test",
			pending: 0,
			acquire: () => Buffer.alloc(128 * KiB),
			release: () => undefined,
			submit(buffer, length, callback) {
				done = () => callback({ compressed: true, bytes: encode(buffer.subarray(0, length)) });
			},
			after: () => undefined,
			settle: () => Promise.resolve(done?.()),
			compressNow: (block) => ({ compressed: true, bytes: encode(Buffer.from(block)) }),
			close: () => Promise.resolve(),
		};
	};
	const gzip = createDecompressor("gzip", { backend: "portable" });
	const zstd = createDecompressor("zstd", { backend: "portable" });

	it("accepts an encoder that works", async () => {
		expect(
			await selfTestFailure(
				compressorThatMakes("gzip", (block) => deflateSync(block)),
				gzip,
				128 * KiB,
			),
		).toBeUndefined();
	});

	it("catches an encoder that only stores", async () => {
		const failure = await selfTestFailure(
			compressorThatMakes("gzip", (block) => deflateSync(block, { level: 0 })),
			gzip,
			128 * KiB,
		);
		expect(failure).toMatch(/does not compress/);
	});

	it("catches a window that the kernel refuses", async () => {
		const encode = (): Buffer => zstdFrame([{ byte: 1, times: 5 }], { windowDescriptor: 13 << 3 });
		expect(await selfTestFailure(compressorThatMakes("zstd", encode), zstd, 128 * KiB)).toMatch(
			/kernel would refuse.*8388608/,
		);
	});

	it("catches bytes that decode to something else", async () => {
		const encode = (block: Buffer): Buffer => deflateSync(Buffer.from(block).fill(0, 7, 8));
		expect(await selfTestFailure(compressorThatMakes("gzip", encode), gzip, 128 * KiB)).toMatch(/do not decode/);
	});
});

describe("createDecompressor, portable", () => {
	it("decodes gzip, lz4 and zstd blocks into owned bytes", () => {
		const text = Buffer.from("some text, some text, some text");
		const blocks = [{ raw: text }, { byte: 65, times: 4000 }];
		expect(createDecompressor("gzip", { backend: "portable" }).decompress(deflateSync(text), 8192)).toEqual(text);
		expect(createDecompressor("zstd", { backend: "portable" }).decompress(zstdFrame(blocks), 8192)).toEqual(
			contentOf(blocks),
		);
		expect(createDecompressor("lz4", { backend: "portable" }).decompress(Buffer.from("1041010000", "hex"), 64)).toEqual(
			Buffer.from("AAAAA"),
		);
	});
});
