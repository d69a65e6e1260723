import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { memorySource } from "../../../../src/binary/byte-source.ts";
import { decodeApplicationUse } from "../../../../src/formats/isomd5/application-use.ts";
import { checksumOfDigests, fragmentSum, hashedRange } from "../../../../src/formats/isomd5/hashed-range.ts";
import { computeMediaChecksum } from "../../../../src/formats/isomd5/media-checksum.ts";

describe("the hashed range", () => {
	test("has a sum behind each buffer of 32 KiB in which another of 21 parts begins, at most 20", () => {
		fc.assert(
			fc.property(fc.integer({ min: 40, max: 40_000 }), (blocks) => {
				const { totalBytes, sumOffsets } = hashedRange(blocks);
				expect(totalBytes).toBe((blocks - 15) * 2048);
				expect(sumOffsets.length).toBeLessThanOrEqual(20);
				const part = Math.floor(totalBytes / 21);
				for (const [i, offset] of sumOffsets.entries()) {
					expect(offset).toBeGreaterThan(sumOffsets[i - 1] ?? 0);
					const start = Math.floor((offset - 1) / 32_768) * 32_768;
					expect(offset).toBe(Math.min(start + 32_768, totalBytes));
					expect(Math.floor(start / part)).not.toBe(Math.floor((start - 32_768) / part));
				}
				if (totalBytes >= 21 * 32_768) expect(sumOffsets).toHaveLength(20);
			}),
		);
	});

	test("and the digests at its offsets are the checksum of the image", async () => {
		for (const blocks of [50, 400, 3000]) {
			const iso = Buffer.alloc(blocks * 2048, "some content that repeats ");
			iso.fill(0x20, 0x8000 + 883, 0x8000 + 883 + 512);
			iso[0x8000] = 1;
			iso.write("CD001", 0x8001, "latin1");
			iso.writeUInt32BE(blocks, 0x8054);
			const { totalBytes, sumOffsets } = hashedRange(blocks);
			const digests = [...sumOffsets, totalBytes].map((end) =>
				createHash("md5").update(iso.subarray(0, end)).digest("hex"),
			);
			const expected = decodeApplicationUse(await computeMediaChecksum(memorySource(iso)));
			expect(checksumOfDigests(digests)).toEqual(expected);
		}
	});

	test("takes a digest's bytes as they are printed without leading zeros", () => {
		expect(fragmentSum("05a39f00112233445566778899aabbcc")).toBe("5a9");
		expect(fragmentSum("00f00f00112233445566778899aabbcc")).toBe("0ff");
	});
});
