import { describe, expect, it } from "vitest";
import { checkedLevel, codecFromSquashfsId, codecTable } from "../../../src/codec/codec-table.ts";
import { gzipOptions, lz4Options, xzOptions, zstdOptions } from "../../../src/codec/options-block.ts";
import type { CodecName } from "../../../src/codec/types.ts";

const options = (codec: CodecName, level: number): string | undefined => {
	const block = codecTable[codec].optionsBlock(level);
	return block === undefined ? undefined : Buffer.from(block).toString("hex");
};

describe("codec table", () => {
	it("has the compression ids of squashfs 4.0", () => {
		const ids = Object.values(codecTable).map(({ name, squashfsId }) => `${name} ${squashfsId}`);
		expect(ids).toEqual(["zstd 6", "gzip 1", "xz 4", "lz4 5", "none 1"]);
	});

	it("finds the codec of a superblock", () => {
		expect([1, 4, 5, 6].map(codecFromSquashfsId)).toEqual(["gzip", "xz", "lz4", "zstd"]);
	});

	it.each([
		[2, /lzma/],
		[3, /lzo/],
		[0, /unknown method 0/],
		[7, /unknown method 7/],
	])("refuses id %i", (id, what) => {
		expect(() => codecFromSquashfsId(id)).toThrow(
			expect.objectContaining({ code: "UNSUPPORTED_COMPRESSOR", exitStatus: 5, what: expect.stringMatching(what) }),
		);
	});

	it("takes squashfs-tools' default levels", () => {
		expect((["zstd", "gzip", "xz", "lz4", "none"] as const).map((codec) => checkedLevel(codec, undefined))).toEqual([
			15, 9, 6, 0, 0,
		]);
	});

	it.each([
		["zstd", 0, "1 to 22"],
		["zstd", 23, "1 to 22"],
		["gzip", 0, "1 to 12"],
		["gzip", 6.5, "1 to 12"],
		["xz", 10, "0 to 9"],
		["lz4", -1, "0 to 12"],
		["zstd", Number.NaN, "1 to 22"],
		["none", 1, "no level: it does not compress"],
	] as const)("names the range for %s %d", (codec, level, expected) => {
		expect(() => checkedLevel(codec, level)).toThrow(
			expect.objectContaining({ code: "LEVEL_OUT_OF_RANGE", kind: "usage", expected }),
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
		const xz = { dictionarySize: 131072, filters: 1 };
		expect(xzOptions.decode(xzOptions.encode(xz))).toEqual(xz);
		const lz4 = { version: 1, flags: 1 };
		expect(lz4Options.decode(lz4Options.encode(lz4))).toEqual(lz4);
		expect(zstdOptions.decode(zstdOptions.encode({ compressionLevel: 22 }))).toEqual({ compressionLevel: 22 });
	});
});
