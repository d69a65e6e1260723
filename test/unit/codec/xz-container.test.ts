import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeXzContainer, encodeXzContainer } from "../../../src/codec/xz-container.ts";
import { lzma2Stored } from "../../support/stored-parts.ts";

describe("xz container", () => {
	it("makes the bytes that xz makes", () => {
		// `printf hello | xz --check=crc32 --lzma2=preset=6,dict=128KiB`
		const hex =
			"fd377a585a0000016922de36020021010a00000053c72ab901000468656c6c6f0000000086a6103600011905bce8eccb9042990d010000000001595a";
		const hello = Buffer.from("hello");
		expect(encodeXzContainer(lzma2Stored(hello), hello, 131072).toString("hex")).toBe(hex);
	});

	it("decodes what it encodes", () => {
		fc.assert(
			fc.property(
				fc.uint8Array({ minLength: 1, maxLength: 3000 }),
				fc.integer({ min: 12, max: 20 }),
				(content, log) => {
					const stream = encodeXzContainer(lzma2Stored(content), content, 2 ** log);
					expect(stream.byteLength % 4).toBe(0);
					expect(decodeXzContainer(stream)).toMatchObject({
						lzma2: lzma2Stored(content),
						dictionaryBytes: 2 ** log,
						contentBytes: content.byteLength,
						contentCrc32: crc32(content),
					});
				},
			),
			{ seed: 20, numRuns: 200 },
		);
	});

	it("sums the chunks of compressed data", () => {
		// Control bytes: new dictionary and properties (6-byte header), then continued (5-byte header), then stored.
		const lzma2 = Buffer.concat([
			Buffer.from([0xe1, 0x00, 0x0f, 0x00, 0x01, 0x5d, 9, 9]),
			Buffer.from([0x80, 0x00, 0x03, 0x00, 0x00, 9]),
			Buffer.from([0x02, 0x00, 0x01, 7, 7, 0]),
		]);
		const stream = encodeXzContainer(lzma2, Buffer.alloc(0), 4096);
		expect(decodeXzContainer(stream)).toMatchObject({ lzma2, contentBytes: 65536 + 16 + 4 + 2 });
	});
});
