import { createHash, randomBytes } from "node:crypto";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KiB } from "../../src/binary/units.ts";
import { contentDigester } from "../../src/native/content-digester.ts";
import { ContentDigest } from "../../src/verify/content-digest.ts";
import { digestContents } from "../../src/verify/digested-contents.ts";
import { addonMissing, nativeAddon } from "./addon-required.ts";

const bytes = Buffer.concat([randomBytes(150 * KiB), Buffer.alloc(150 * KiB), randomBytes(10)]);
/** Lengths of data, and as negative numbers of holes. */
const pieces = fc.array(
	fc.oneof(fc.integer({ min: -200 * KiB, max: 300 * KiB }), fc.constantFrom(65_536, -65_536, 1, -1)),
	{
		maxLength: 6,
	},
);

describe.skipIf(addonMissing)("the digester of contents", () => {
	it("gives the digests that are made without it, of many contents at once", () => {
		fc.assert(
			fc.property(fc.array(pieces, { maxLength: 12 }), (contents) => {
				const digester = digestContents();
				const found: string[] = [];
				const expected = contents.map((content, i) => {
					const byteLength = content.reduce((sum, length) => sum + Math.abs(length), 0);
					const plain = new ContentDigest(byteLength);
					const sink = digester.sink(byteLength, (digest) => {
						found[i] = Buffer.from(digest).toString("hex");
					});
					for (const length of content) {
						const data = bytes.subarray(bytes.byteLength - length);
						if (length < 0) {
							plain.hole(-length);
							sink.hole(-length);
						} else {
							plain.update(data);
							for (let at = 0; at < length; at += 10_000) sink.data(data.subarray(at, at + 10_000));
						}
					}
					sink.end();
					return plain.finish().toString("hex");
				});
				digester.finish();
				digester.close();
				expect(found).toEqual(expected);
			}),
			{ numRuns: 30 },
		);
	});

	it("tells of what does not decode, is too long or too short, in the order of submission", () => {
		const block = nativeAddon().codecs.zstd === undefined ? undefined : compressed(Buffer.alloc(1000, 7));
		const digester = contentDigester("zstd", { blockBytes: 4096, slotBytes: 4096 });
		if (block === undefined || digester === undefined) return;
		const told: unknown[] = [];
		const submit = (content: Uint8Array, maxBytes: number, offset: number, byteLength: number): void => {
			const buffer = digester.acquire();
			buffer.set(content);
			const units = [{ offset, byteLength, endsWithLength: false }];
			digester.submit(buffer, content.byteLength, maxBytes, units, (length, digests) =>
				told.push(length === undefined ? undefined : [length, digests.toString("hex", 0, 32)]),
			);
		};
		const digest = createHash("sha256").update(Buffer.alloc(100, 7)).digest("hex");
		submit(block, 4096, 900, 100);
		submit(block.subarray(1), 4096, 0, 1);
		submit(block, 999, 0, 1);
		submit(block, 4096, 901, 100);
		submit(Buffer.alloc(500), 0, 0, 500);
		submit(Buffer.alloc(100, 7), 0, 0, 100);
		digester.finish();
		digester.close();
		expect(told).toEqual([[1000, digest], undefined, undefined, undefined, [500, "0".repeat(64)], [100, digest]]);
	});

	it("ends with the thread that uses it", async () => {
		const addon = new URL("../../build/Release/oci2iso.node", import.meta.url).pathname;
		const worker = new Worker(
			`const { ContentDigester } = require(${JSON.stringify(addon)});
			const digester = new ContentDigester("", 0, 2);
			for (let i = 0; i < 20; i++) {
				digester.addSlot(1 << 20);
				digester.submit(i, 1 << 20, 0, Int32Array.of(0, 1 << 20, 0));
			}`,
			{ eval: true },
		);
		expect(await new Promise((resolve) => worker.once("exit", resolve))).toBe(0);
	});
});

function compressed(content: Uint8Array): Buffer {
	const compressor = new (nativeAddon().BlockCompressor)("zstd", 3, 4096, 1, () => {});
	const output = Buffer.alloc(8192);
	const length = compressor.encodeNow(content, output);
	compressor.close();
	return output.subarray(0, length);
}
