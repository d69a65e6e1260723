import { deflateRawSync, deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { kernelRefusal } from "../../../src/codec/kernel-limits.ts";
import { encodeXzContainer } from "../../../src/codec/xz-container.ts";
import { decodeZstdFrameHeader } from "../../../src/codec/zstd-frame.ts";
import { zstdFrame } from "./zstd-frames.ts";

const KiB = 1024;
const content = Buffer.from("content");

describe("kernelRefusal", () => {
	it("wants a zlib header in front of deflate data", () => {
		expect(kernelRefusal("gzip", deflateSync(content), 128 * KiB)).toBeUndefined();
		expect(kernelRefusal("gzip", deflateRawSync(content), 128 * KiB)).toMatch(/zlib header/);
		expect(kernelRefusal("gzip", Buffer.from([0x78]), 128 * KiB)).toMatch(/shorter/);
		expect(kernelRefusal("gzip", Buffer.from([0x78, 0xbb]), 128 * KiB)).toMatch(/preset dictionary/);
	});

	it("bounds the dictionary of xz by the block, and 8 KiB at least", () => {
		const xz = (dictionaryBytes: number): Buffer => encodeXzContainer(Buffer.from([0]), content, dictionaryBytes);
		expect(kernelRefusal("xz", xz(128 * KiB), 128 * KiB)).toBeUndefined();
		expect(kernelRefusal("xz", xz(256 * KiB), 128 * KiB)).toBe(
			"its dictionary of 262144 bytes exceeds the kernel's 131072",
		);
		expect(kernelRefusal("xz", xz(8 * KiB), 4 * KiB)).toBeUndefined();
		expect(kernelRefusal("xz", xz(16 * KiB), 4 * KiB)).toMatch(/16384 .* 8192/);
	});

	it("sees a damaged xz header", () => {
		const xz = encodeXzContainer(Buffer.from([0]), content, 8 * KiB);
		for (let at = 0; at < 24; at++) {
			const damaged = Buffer.from(xz);
			damaged[at] = (damaged[at] ?? 0) ^ 0x55;
			expect(kernelRefusal("xz", damaged, 128 * KiB), `byte ${at}`).toBeDefined();
		}
		expect(kernelRefusal("xz", xz.subarray(0, 20), 128 * KiB)).toMatch(/shorter/);
	});

	it("bounds the window of zstd", () => {
		const raw = [{ raw: content }];
		expect(kernelRefusal("zstd", zstdFrame(raw, { windowDescriptor: 7 << 3 }), 128 * KiB)).toBeUndefined();
		expect(kernelRefusal("zstd", zstdFrame(raw, { windowDescriptor: 8 << 3 }), 128 * KiB)).toBe(
			"its window of 262144 bytes exceeds the kernel's 131072",
		);
		expect(kernelRefusal("zstd", zstdFrame(raw, { windowDescriptor: 3 << 3 }), 4 * KiB)).toBeUndefined();
		expect(kernelRefusal("zstd", zstdFrame([{ byte: 0, times: 9000 }], { singleSegment: true }), 4 * KiB)).toMatch(
			/9000/,
		);
		expect(kernelRefusal("zstd", Buffer.from("28b52ffd2105", "hex"), 4 * KiB)).toMatch(/shorter/);
		expect(kernelRefusal("zstd", Buffer.from("28b52ffd210505", "hex"), 4 * KiB)).toMatch(/dictionary/);
		expect(kernelRefusal("zstd", Buffer.from("not zstd at all"), 4 * KiB)).toMatch(/zstd frame/);
	});
});

describe("decodeZstdFrameHeader", () => {
	it.each([
		["single segment, 1 byte", "28b52ffd2005", { byteLength: 6, windowBytes: 5, contentBytes: 5 }],
		["2-byte sizes count from 256", "28b52ffd600100", { byteLength: 7, windowBytes: 257, contentBytes: 257 }],
		["window with mantissa", "28b52ffd000b", { byteLength: 6, windowBytes: 2048 + 3 * 256, contentBytes: undefined }],
		[
			"8-byte size",
			"28b52ffdc4390000000001000000",
			{ byteLength: 14, windowBytes: 131072 * 1.125, contentBytes: 2 ** 32 },
		],
	])("reads %s", (_, hex, expected) => {
		expect(decodeZstdFrameHeader(Buffer.from(hex, "hex"))).toMatchObject(expected);
	});

	it("refuses the reserved bit", () => {
		expect(decodeZstdFrameHeader(Buffer.from("28b52ffd2805", "hex"))).toMatch(/reserved/);
	});
});
