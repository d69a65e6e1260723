import { describe, expect, it } from "vitest";
import type { BranchFilter, CodecName } from "../../../../src/codec/types.ts";
import {
	COMPRESSOR_ID,
	codecOfCompressor,
	gzipOptions,
	lz4Options,
	optionsBlock,
	xzOptions,
	zstdOptions,
} from "../../../../src/rootfs/squashfs/compressors.ts";

const options = (codec: CodecName, level: number, bcj?: BranchFilter): string | undefined => {
	const block = optionsBlock({ codec, level, bcj }, 131_072);
	return block === undefined ? undefined : Buffer.from(block).toString("hex");
};

describe("compression ids of squashfs 4.0", () => {
	it("are of one codec each", () => {
		expect(COMPRESSOR_ID).toEqual({ zstd: 6, gzip: 1, xz: 4, lz4: 5, none: 1 });
		expect([1, 4, 5, 6].map(codecOfCompressor)).toEqual(["gzip", "xz", "lz4", "zstd"]);
	});

	it.each([
		[2, /lzma/],
		[3, /lzo/],
		[0, /unknown method 0/],
		[7, /unknown method 7/],
	])("refuse %i", (id, what) => {
		expect(() => codecOfCompressor(id)).toThrow(
			expect.objectContaining({ code: "UNSUPPORTED_COMPRESSOR", exitStatus: 5, what: expect.stringMatching(what) }),
		);
	});
});

describe("options block", () => {
	it("is written where the settings are not the default", () => {
		expect(options("zstd", 15)).toBeUndefined();
		expect(options("zstd", 19)).toBe("13000000");
		expect(options("gzip", 9)).toBeUndefined();
		expect(options("gzip", 6)).toBe("060000000f000000");
		expect(options("xz", 6)).toBeUndefined();
		expect(options("xz", 9)).toBeUndefined();
		expect(options("xz", 6, "none")).toBeUndefined();
		expect(options("xz", 6, "x86")).toBe("0000020001000000");
		expect(options("xz", 6, "arm64")).toBe("0000020040000000");
		expect(options("none", 0)).toBeUndefined();
	});

	it("does not tell readers of gzip levels that they would refuse", () => {
		expect(options("gzip", 12)).toBeUndefined();
	});

	it("is always written for lz4", () => {
		expect(options("lz4", 0)).toBe("0100000000000000");
		expect(options("lz4", 12)).toBe("0100000001000000");
	});

	it("decodes what it encodes", () => {
		const gzip = { compressionLevel: 6, windowSize: 15, strategies: 3 };
		expect(gzipOptions.decode(gzipOptions.encode(gzip))).toEqual(gzip);
		const lz4 = { version: 1, flags: 1 };
		expect(lz4Options.decode(lz4Options.encode(lz4))).toEqual(lz4);
		const xz = { dictionaryBytes: 4096, filters: 1 };
		expect(xzOptions.decode(xzOptions.encode(xz))).toEqual(xz);
		expect(zstdOptions.decode(zstdOptions.encode({ compressionLevel: 22 }))).toEqual({ compressionLevel: 22 });
	});
});
