import { createHash, randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BlobSource } from "../../../src/oci/blob-source.ts";
import { type Digest, digestOf } from "../../../src/oci/digest.ts";
import { createLayer, type Layer } from "../../../src/oci/layer.ts";
import { zstdSkippable, zstdStored } from "../../support/zstd-stored.ts";

/** Compressible in part, over several chunks. */
const tar = Buffer.concat(
	Array.from({ length: 700 }, (_, i) =>
		Buffer.concat([createHash("sha512").update(`${i}`).digest(), Buffer.alloc(4032, i)]),
	),
);
const gzip = gzipSync(tar);
const half = tar.byteLength / 2;
const GZIP = "application/vnd.oci.image.layer.v1.tar+gzip";

interface Stored {
	readonly bytes: Uint8Array;
	readonly digest?: Digest;
	readonly size?: number;
	readonly diffId?: Digest;
	readonly mediaType?: string;
	readonly chunkBytes?: number;
	readonly maxLayerBytes?: number;
}

/** A layer whose blob arrives in one reused buffer, as a source is allowed to deliver it. */
function layerOf(stored: Stored): { layer: Layer; notes: string[]; opened: () => number; closed: () => number } {
	const { bytes, chunkBytes = 64 * 1024 } = stored;
	const notes: string[] = [];
	let opened = 0;
	let closed = 0;
	const source: BlobSource = {
		async *blob() {
			opened++;
			const buffer = Buffer.alloc(chunkBytes);
			try {
				for (let at = 0; at < bytes.byteLength; at += chunkBytes) {
					const piece = bytes.subarray(at, at + chunkBytes);
					buffer.fill(0xee);
					buffer.set(piece);
					yield buffer.subarray(0, piece.byteLength);
				}
			} finally {
				closed++;
			}
		},
		has: () => Promise.resolve(true),
	};
	const descriptor = {
		mediaType: stored.mediaType ?? GZIP,
		digest: stored.digest ?? digestOf(bytes),
		size: stored.size ?? bytes.byteLength,
	};
	const layer = createLayer(source, descriptor, {
		index: 3,
		diffId: stored.diffId ?? digestOf(tar),
		maxLayerBytes: stored.maxLayerBytes ?? 2 ** 30,
		note: (text) => notes.push(text),
	});
	return { layer, notes, opened: () => opened, closed: () => closed };
}

async function read(layer: Layer, signal?: AbortSignal): Promise<Buffer> {
	const pieces: Buffer[] = [];
	for await (const chunk of layer.tar(signal)) pieces.push(Buffer.from(chunk));
	return Buffer.concat(pieces);
}

async function outcome(stored: Stored, expected: Buffer = tar): Promise<string> {
	const { layer, opened, closed } = layerOf(stored);
	try {
		const bytes = await read(layer);
		return bytes.equals(expected) ? "same bytes" : "other bytes";
	} catch (error) {
		expect(error).toMatchObject({ name: "Oci2isoError", where: expect.stringContaining("layer 3, sha") });
		const { kind, code } = error as { kind: string; code: string };
		return `${kind} ${code}`;
	} finally {
		expect(closed()).toBe(opened());
	}
}

const truncateTo = (bytes: Uint8Array, byteLength: number): Uint8Array => bytes.subarray(0, byteLength);
const flip = (bytes: Uint8Array, at: number): Uint8Array => {
	const copy = Uint8Array.from(bytes);
	copy[at] = (copy[at] ?? 0) ^ 0x40;
	return copy;
};

describe("a layer's archive", () => {
	const gzipMembers = Buffer.concat([
		gzipSync(tar.subarray(0, half)),
		gzipSync(Buffer.alloc(0)),
		gzipSync(tar.subarray(half)),
	]);
	const zstdFrames = Buffer.concat([
		zstdSkippable(Buffer.from("first")),
		zstdStored(tar.subarray(0, half)),
		zstdSkippable(Buffer.alloc(0), 15),
		zstdStored(Buffer.alloc(0)),
		zstdStored(tar.subarray(half)),
		zstdSkippable(randomBytes(200_000), 10),
	]);
	const forms: [string, Uint8Array][] = [
		["plain tar", tar],
		["gzip", gzip],
		["gzip of several members", gzipMembers],
		["gzip padded with zeros", Buffer.concat([gzip, Buffer.alloc(3000)])],
		["zstd", zstdStored(tar)],
		["zstd of several frames with skippable ones around", zstdFrames],
	];

	it.each(forms)("is the same from %s, however the blob arrives", async (_, bytes) => {
		for (const chunkBytes of [1, 3, 511, 65_536, 10_000_000]) {
			const piece = chunkBytes < 100 ? Math.max(chunkBytes, Math.ceil(bytes.byteLength / 20_000)) : chunkBytes;
			expect(await outcome({ bytes, chunkBytes: piece })).toBe("same bytes");
		}
	});

	it("is recognized when the signature arrives byte by byte", async () => {
		const small = Buffer.from("small");
		for (const bytes of [gzipSync(small), zstdStored(small), zstdSkippable(small)]) {
			const { layer } = layerOf({
				bytes,
				chunkBytes: 1,
				diffId: digestOf(bytes[0] === 0x50 ? Buffer.alloc(0) : small),
			});
			expect((await read(layer)).toString()).toBe(bytes[0] === 0x50 ? "" : "small");
		}
	});

	it("may be empty", async () => {
		const empty = Buffer.alloc(0);
		for (const bytes of [empty, gzipSync(empty), zstdStored(empty)])
			expect(await read(layerOf({ bytes, diffId: digestOf(empty) }).layer)).toEqual(empty);
	});

	it("splits gzip members at every place of a chunk", async () => {
		const parts = [Buffer.from("one"), Buffer.from("two")];
		const bytes = Buffer.concat([...parts.map((part) => gzipSync(part)), Buffer.alloc(5)]);
		const diffId = digestOf(Buffer.concat(parts));
		for (let chunkBytes = 1; chunkBytes <= bytes.byteLength; chunkBytes++)
			expect((await read(layerOf({ bytes, diffId, chunkBytes }).layer)).toString()).toBe("onetwo");
	});

	it("can be read again, and at the same time", async () => {
		const { layer } = layerOf({ bytes: gzip });
		const all = await Promise.all([read(layer), read(layer)]);
		expect(all.map((bytes) => bytes.equals(tar))).toEqual([true, true]);
		expect((await read(layer)).equals(tar)).toBe(true);
	});

	it("comes in large chunks", async () => {
		for (const bytes of [tar, gzip, zstdStored(tar)]) {
			let chunks = 0;
			for await (const _ of layerOf({ bytes, chunkBytes: 1024 * 1024 }).layer.tar()) chunks++;
			expect(chunks).toBeLessThanOrEqual(Math.ceil(tar.byteLength / (256 * 1024)) + 4);
		}
	});

	it("notes a media type that says another compression, and goes by the bytes", async () => {
		const { layer, notes } = layerOf({ bytes: zstdStored(tar) });
		expect((await read(layer)).equals(tar)).toBe(true);
		expect(notes).toEqual([expect.stringMatching(/layer 3, sha256:.* says compression "gzip", the bytes say "zstd"/)]);
		const agreeing = layerOf({ bytes: gzip });
		await read(agreeing.layer);
		expect(agreeing.notes).toEqual([]);
	});

	it("is checked by sha512 where the descriptor or the configuration uses it", async () => {
		const diffId = digestOf(tar, "sha512");
		for (const bytes of [tar, gzip]) {
			expect(await outcome({ bytes, digest: digestOf(bytes, "sha512"), diffId })).toBe("same bytes");
			expect(await outcome({ bytes, diffId })).toBe("same bytes");
			expect(await outcome({ bytes, diffId: digestOf(bytes.subarray(1), "sha512") })).toBe("corrupt DIFF_ID_MISMATCH");
		}
	});
});

describe("a damaged layer", () => {
	const zstd = zstdStored(tar);

	it.each<[string, Uint8Array, string]>([
		["gzip that ends within the data", truncateTo(gzip, 5000), "corrupt LAYER_TRUNCATED"],
		["gzip that ends within a second member", Buffer.concat([gzip, truncateTo(gzip, 5)]), "corrupt LAYER_TRUNCATED"],
		["gzip with a damaged checksum", flip(gzip, gzip.byteLength - 8), "corrupt LAYER_COMPRESSION_BROKEN"],
		["gzip followed by garbage", Buffer.concat([gzip, Buffer.from("garbage")]), "corrupt LAYER_COMPRESSION_BROKEN"],
		[
			"gzip followed by zeros and a member",
			Buffer.concat([gzip, Buffer.alloc(70_000), gzip]),
			"corrupt LAYER_COMPRESSION_BROKEN",
		],
		["zstd that ends within a frame", truncateTo(zstd, 5000), "corrupt LAYER_TRUNCATED"],
		[
			"zstd that ends within a skippable frame",
			Buffer.concat([zstd, truncateTo(zstdSkippable(tar), 100)]),
			"corrupt LAYER_TRUNCATED",
		],
		["zstd followed by garbage", Buffer.concat([zstd, Buffer.from("garbage!")]), "corrupt LAYER_COMPRESSION_BROKEN"],
		[
			"zstd with a window of 2 GiB",
			Buffer.concat([Buffer.from("28b52ffd00a8", "hex"), zstd.subarray(6)]),
			"corrupt LAYER_COMPRESSION_BROKEN",
		],
		["bzip2", Buffer.from("BZh91AY&SY and so on"), "usage LAYER_COMPRESSION_UNSUPPORTED"],
		["xz", Buffer.from("\xfd7zXZ\0 and so on", "latin1"), "usage LAYER_COMPRESSION_UNSUPPORTED"],
	])("stored as %s is refused for what it is", async (_, bytes, expected) => {
		expect(await outcome({ bytes })).toBe(expected);
	});

	it("is refused when it is larger than allowed, before the excess is handed on", async () => {
		const bomb = Buffer.alloc(64 * 1024 * 1024);
		for (const bytes of [gzipSync(bomb), zstdStored(bomb)]) {
			const { layer, opened, closed } = layerOf({ bytes, diffId: digestOf(bomb), maxLayerBytes: 3_000_000 });
			let received = 0;
			const reading = (async () => {
				for await (const chunk of layer.tar()) received += chunk.byteLength;
			})();
			await expect(reading).rejects.toMatchObject({ code: "LAYER_TOO_LARGE", kind: "corrupt" });
			expect(received).toBeLessThanOrEqual(3_000_000);
			expect([opened(), closed()]).toEqual([1, 1]);
		}
	});

	it("never gives other bytes, whatever changes in the blob", async () => {
		const small = Buffer.concat([tar.subarray(0, 6000), Buffer.alloc(4000)]);
		const blobs = [small, gzipSync(small), zstdStored(small), Buffer.concat([gzipSync(small), gzipSync(small)])];
		const archives = [small, small, small, Buffer.concat([small, small])];
		const change = fc.record({
			blob: fc.nat(3),
			at: fc.nat(),
			bit: fc.nat(7),
			cut: fc.boolean(),
			chunkBytes: fc.integer({ min: 1, max: 9000 }),
		});
		await fc.assert(
			fc.asyncProperty(change, async ({ blob, at, bit, cut, chunkBytes }) => {
				const original = blobs[blob] ?? small;
				const archive = archives[blob] ?? small;
				const place = at % original.byteLength;
				const bytes = Buffer.from(cut ? original.subarray(0, place) : original);
				if (!cut) bytes[place] = (bytes[place] ?? 0) ^ (1 << bit);
				const common = { bytes, diffId: digestOf(archive), chunkBytes };
				// as the network or the disk would damage it, then as a hostile author would store it
				expect(await outcome({ ...common, digest: digestOf(original), size: original.byteLength })).toMatch(
					cut ? /^corrupt BLOB_SIZE_MISMATCH$/ : /^corrupt BLOB_DIGEST_MISMATCH$/,
				);
				expect(await outcome(common, archive)).toMatch(
					/^(same bytes|corrupt (LAYER_|DIFF_ID_MISMATCH).*|usage LAYER_.*)$/,
				);
			}),
			{ seed: 6, numRuns: 200 },
		);
	});
});

describe("reading a layer", () => {
	it.each([
		["plain tar", tar],
		["gzip", gzip],
		["zstd", zstdStored(tar)],
	])("of %s closes the blob when the consumer leaves early", async (_, bytes) => {
		for (const chunkBytes of [100_000, 10_000_000]) {
			const { layer, opened, closed } = layerOf({ bytes, chunkBytes });
			for await (const _chunk of layer.tar()) break;
			expect([opened(), closed()]).toEqual([1, 1]);
		}
	});

	it("stops when the signal fires, and closes the blob", async () => {
		for (const bytes of [tar, gzip, zstdStored(tar)]) {
			const controller = new AbortController();
			const { layer, opened, closed } = layerOf({ bytes, chunkBytes: 10_000 });
			const reading = (async () => {
				for await (const _ of layer.tar(controller.signal)) controller.abort();
			})();
			await expect(reading).rejects.toMatchObject({ code: "INTERRUPTED", kind: "interrupted" });
			expect([opened(), closed()]).toEqual([1, 1]);
		}
	});

	it("can check the blob alone", async () => {
		await layerOf({ bytes: gzip, diffId: digestOf(gzip) }).layer.verifyBlob();
		const damaged = layerOf({ bytes: flip(gzip, 100), digest: digestOf(gzip) });
		await expect(damaged.layer.verifyBlob()).rejects.toMatchObject({ code: "BLOB_DIGEST_MISMATCH" });
	});
});
