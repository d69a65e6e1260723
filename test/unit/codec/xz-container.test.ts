import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeXzContainer, decodeXzHeaders, encodeXzContainer } from "../../../src/codec/xz-container.ts";

/** Raw LZMA2: one stored chunk and the end marker. */
function stored(content: Uint8Array): Buffer {
	const size = content.byteLength - 1;
	return Buffer.concat([Buffer.from([1, size >> 8, size & 255]), content, Buffer.from([0])]);
}

describe("xz container", () => {
	it("makes the bytes that xz makes", () => {
		// `printf hello | xz --check=crc32 --lzma2=preset=6,dict=128KiB`
		const hex =
			"fd377a585a0000016922de36020021010a00000053c72ab901000468656c6c6f0000000086a6103600011905bce8eccb9042990d010000000001595a";
		const hello = Buffer.from("hello");
		expect(encodeXzContainer(stored(hello), hello, 131072).toString("hex")).toBe(hex);
	});

	it("decodes what it encodes", () => {
		fc.assert(
			fc.property(
				fc.uint8Array({ minLength: 1, maxLength: 3000 }),
				fc.integer({ min: 12, max: 20 }),
				(content, log) => {
					const stream = encodeXzContainer(stored(content), content, 2 ** log);
					expect(stream.byteLength % 4).toBe(0);
					expect(decodeXzContainer(stream)).toMatchObject({
						lzma2: stored(content),
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

	it("has no opinion on bytes that are something else", () => {
		const valid = encodeXzContainer(stored(Buffer.from("abc")), Buffer.from("abc"), 8192);
		const mutated = fc.array(fc.tuple(fc.nat(valid.byteLength - 1), fc.nat(255)), { maxLength: 5 }).map((changes) => {
			const bytes = Buffer.from(valid);
			for (const [at, value] of changes) bytes[at] = value;
			return bytes;
		});
		fc.assert(
			fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), mutated), (bytes) => {
				const decoded = decodeXzContainer(bytes);
				if (decoded !== undefined) expect(decoded.lzma2.byteLength).toBeLessThan(bytes.byteLength);
			}),
			{ seed: 20, numRuns: 2000 },
		);
		expect(decodeXzHeaders(valid.subarray(0, 10))).toMatch(/shorter/);
	});
});
