import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ZstdInflater } from "../../../src/codec/zstd-inflater.ts";
import { zstdSkippable } from "../../support/zstd-stored.ts";
import { type Block, contentOf, zstdFrame } from "./zstd-frames.ts";

const seed = 20;

/** Pushes `stream` in pieces of `step` bytes. */
function inflate(stream: Uint8Array, step = stream.byteLength): Buffer {
	const inflater = new ZstdInflater({ backend: "portable" });
	const pieces: Buffer[] = [];
	for (let at = 0; at < stream.byteLength; at += step)
		inflater.push(stream.subarray(at, at + step), (bytes) => pieces.push(Buffer.from(bytes)));
	inflater.finish();
	return Buffer.concat(pieces);
}

const block: fc.Arbitrary<Block> = fc.oneof(
	fc.uint8Array({ maxLength: 300 }).map((raw) => ({ raw })),
	fc.record({ byte: fc.nat(255), times: fc.integer({ min: 1, max: 5000 }) }),
);
const frame = fc.record({
	blocks: fc.array(block, { minLength: 1, maxLength: 5 }),
	singleSegment: fc.boolean(),
	checksum: fc.option(fc.constant(Buffer.from("sums")), { nil: undefined }),
});

describe("portable ZstdInflater", () => {
	it("reads frames and steps over skippable ones, wherever the input is cut", () => {
		fc.assert(
			fc.property(
				fc.array(frame, { minLength: 1, maxLength: 4 }),
				fc.nat(15),
				fc.integer({ min: 1, max: 40 }),
				(frames, nibble, step) => {
					const stream = Buffer.concat(
						frames.flatMap(({ blocks, singleSegment, checksum }) => [
							zstdSkippable(Buffer.from("metadata of someone else"), nibble),
							zstdFrame(blocks, { singleSegment, ...(checksum === undefined ? {} : { checksum }) }),
						]),
					);
					expect(inflate(stream, step)).toEqual(Buffer.concat(frames.map(({ blocks }) => contentOf(blocks))));
				},
			),
			{ seed, numRuns: 200 },
		);
	});

	it("reads compressed blocks", () => {
		// `yes oci2iso | head -c 2000 | zstd -3 --no-check`
		const stream = Buffer.from("28b52ffd00587d0000406f63693269736f0a0100c5ef2f5c", "hex");
		expect(inflate(stream, 5)).toEqual(Buffer.from("oci2iso\n".repeat(250)));
	});

	it("knows whether the stream may end", () => {
		const stream = Buffer.concat([zstdFrame([{ byte: 1, times: 9 }]), zstdSkippable(Buffer.alloc(5))]);
		const ends = new Set([zstdFrame([{ byte: 1, times: 9 }]).byteLength, stream.byteLength]);
		for (let length = 1; length <= stream.byteLength; length++) {
			const attempt = (): Buffer => inflate(stream.subarray(0, length));
			if (ends.has(length)) expect(attempt()).toEqual(Buffer.alloc(9, 1));
			else expect(attempt).toThrow(expect.objectContaining({ code: "TRUNCATED_ZSTD", exitStatus: 5 }));
		}
	});

	it("hands out a huge run in bounded pieces", () => {
		const blocks = Array.from({ length: 400 }, () => ({ byte: 0, times: 131072 }));
		const inflater = new ZstdInflater({ backend: "portable" });
		let total = 0;
		let largest = 0;
		for (const piece of inflater.inflate(zstdFrame(blocks))) {
			total += piece.byteLength;
			largest = Math.max(largest, piece.byteLength);
		}
		expect(total).toBe(400 * 131072);
		expect(largest).toBeLessThanOrEqual(256 * 1024);
	});

	it("refuses a window over 128 MiB", () => {
		expect(inflate(zstdFrame([{ byte: 7, times: 3 }], { windowDescriptor: 17 << 3 }))).toEqual(Buffer.from([7, 7, 7]));
		expect(() => inflate(zstdFrame([{ byte: 7, times: 3 }], { windowDescriptor: (17 << 3) | 1 }))).toThrow(
			expect.objectContaining({ code: "ZSTD_WINDOW_TOO_LARGE", kind: "corrupt" }),
		);
	});

	it("refuses what is not a frame, also behind one", () => {
		const garbage = Buffer.from("this is no frame");
		for (const stream of [garbage, Buffer.concat([zstdFrame([{ byte: 1, times: 1 }]), garbage])])
			expect(() => inflate(stream)).toThrow(expect.objectContaining({ code: "CORRUPT_ZSTD" }));
	});
});
