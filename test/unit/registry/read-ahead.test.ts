import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Descriptor } from "../../../src/oci/descriptor.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { ReadAhead } from "../../../src/oci/registry/read-ahead.ts";
import { RepeatedBlobs } from "../../../src/oci/registry/repeated-blobs.ts";

interface Blob {
	readonly descriptor: Descriptor;
	readonly pieces: readonly Buffer[];
}

function blobOf(name: string, pieceCount: number, pieceBytes: number): Blob {
	const pieces = Array.from({ length: pieceCount }, (_, i) => Buffer.alloc(pieceBytes, `${name}${i}`));
	const bytes = Buffer.concat(pieces);
	const mediaType = "application/vnd.oci.image.layer.v1.tar";
	return { descriptor: { mediaType, digest: digestOf(Buffer.from(name)), size: bytes.byteLength }, pieces };
}

/** Sources that count what they gave and how many were open at a time. */
function harness(blobs: readonly Blob[], windowBytes: number, concurrency: number) {
	const counts = { given: 0, open: 0, mostOpen: 0, opened: [] as string[], aborted: 0 };
	const readAhead = new ReadAhead({
		windowBytes,
		concurrency,
		async *open({ digest }, signal) {
			counts.opened.push(digest);
			counts.open++;
			counts.mostOpen = Math.max(counts.mostOpen, counts.open);
			try {
				for (const piece of blobs.find(({ descriptor }) => descriptor.digest === digest)?.pieces ?? []) {
					await setImmediate();
					if (signal.aborted) {
						counts.aborted++;
						return;
					}
					counts.given += piece.byteLength;
					yield piece;
				}
			} finally {
				counts.open--;
			}
		},
	});
	return { readAhead, counts };
}

async function readAll(pieces: AsyncIterable<Uint8Array>, onPiece: (bytes: number) => void | Promise<void> = () => {}) {
	const read: Buffer[] = [];
	for await (const piece of pieces) {
		await onPiece(piece.byteLength);
		read.push(Buffer.from(piece));
	}
	return Buffer.concat(read);
}

describe("reading ahead", () => {
	it("gives every blob whole, within its memory, whatever the sizes and the order", async () => {
		const shape = fc.record({
			sizes: fc.array(fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 1, max: 64 })), { maxLength: 6 }),
			windowBytes: fc.integer({ min: 1, max: 300 }),
			concurrency: fc.integer({ min: 1, max: 4 }),
			announced: fc.boolean(),
			reversed: fc.boolean(),
		});
		await fc.assert(
			fc.asyncProperty(shape, async ({ sizes, windowBytes, concurrency, announced, reversed }) => {
				const blobs = sizes.map(([count, bytes], i) => blobOf(`blob ${i}`, count, bytes));
				const { readAhead, counts } = harness(blobs, windowBytes, concurrency);
				if (announced) readAhead.announce(blobs.map(({ descriptor }) => descriptor));
				let taken = 0;
				let mostAhead = 0;
				for (const { descriptor, pieces } of reversed ? blobs.toReversed() : blobs) {
					const read = await readAll(readAhead.read(descriptor), async (bytes) => {
						taken += bytes;
						await setImmediate();
						await setImmediate();
						mostAhead = Math.max(mostAhead, counts.given - taken);
					});
					expect(read.equals(Buffer.concat(pieces))).toBe(true);
				}
				await readAhead.close();
				expect(counts.opened).toHaveLength(blobs.length);
				expect(counts.open).toBe(0);
				// each download may have one piece on its way when the window closes
				expect(mostAhead).toBeLessThanOrEqual(windowBytes + 64 * (concurrency + 1));
				expect(counts.mostOpen).toBeLessThanOrEqual(concurrency + 1);
			}),
			{ seed: 5, numRuns: 150 },
		);
	});

	it("fetches the next while one is read, and not before the first is asked for", async () => {
		const blobs = ["a", "b", "c"].map((name) => blobOf(name, 4, 10));
		const { readAhead, counts } = harness(blobs, 1000, 2);
		readAhead.announce(blobs.map(({ descriptor }) => descriptor));
		await setImmediate();
		expect(counts.opened).toEqual([]);
		const [first, second, third] = blobs.map(({ descriptor }) => descriptor);
		if (first === undefined) throw new Error("no blob");
		await readAll(readAhead.read(first), async () => {
			for (let i = 0; i < 10; i++) await setImmediate();
		});
		expect(counts.opened).toEqual([first.digest, second?.digest, third?.digest]);
		await readAhead.close();
	});

	it("reads a blob again when asked to, and breaks off what nobody reads to the end", async () => {
		const blobs = [blobOf("a", 100, 10), blobOf("b", 100, 10)];
		const { readAhead, counts } = harness(blobs, 50, 2);
		readAhead.announce(blobs.map(({ descriptor }) => descriptor));
		const [a] = blobs;
		if (a === undefined) throw new Error("no blob");
		for await (const _ of readAhead.read(a.descriptor)) break;
		expect((await readAll(readAhead.read(a.descriptor))).byteLength).toBe(1000);
		await readAhead.close();
		expect(counts.open).toBe(0);
		expect(counts.opened.filter((digest) => digest === a.descriptor.digest)).toHaveLength(2);
		expect(counts.given).toBeLessThan(1500);
	});

	it("gives a failure to the one who reads the blob", async () => {
		const [good, bad] = [blobOf("good", 3, 10), blobOf("bad", 3, 10)];
		const readAhead = new ReadAhead({
			windowBytes: 1000,
			concurrency: 2,
			async *open({ digest }) {
				if (digest === bad.descriptor.digest) throw new Error("broken");
				yield* good.pieces;
			},
		});
		readAhead.announce([good.descriptor, bad.descriptor]);
		expect((await readAll(readAhead.read(good.descriptor))).byteLength).toBe(30);
		await expect(readAll(readAhead.read(bad.descriptor))).rejects.toThrow("broken");
		await readAhead.close();
	});

	it("stops waiting when it is interrupted", async () => {
		const blob = blobOf("never", 1, 1);
		const readAhead = new ReadAhead({
			windowBytes: 10,
			concurrency: 1,
			async *open(_, signal) {
				await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
				yield Buffer.alloc(0);
			},
		});
		const abort = new AbortController();
		const reading = readAll(readAhead.read(blob.descriptor, abort.signal));
		await setImmediate();
		abort.abort();
		await expect(reading).rejects.toMatchObject({ code: "INTERRUPTED" });
		await readAhead.close();
	});
});

describe("blobs that are needed again", () => {
	const { descriptor, pieces } = blobOf("twice", 3, 10);
	async function* given(): AsyncGenerator<Uint8Array, void, undefined> {
		yield* pieces;
	}

	it("are kept until their last read", async () => {
		const repeated = new RepeatedBlobs(100);
		repeated.expect([descriptor, descriptor, descriptor]);
		expect(repeated.take(descriptor.digest)).toBeUndefined();
		expect(repeated.isExpected(descriptor.digest)).toBe(true);
		await readAll(repeated.keeping(descriptor, given()));
		expect(repeated.take(descriptor.digest)?.equals(Buffer.concat(pieces))).toBe(true);
		expect(repeated.take(descriptor.digest)?.byteLength).toBe(30);
		expect(repeated.take(descriptor.digest)).toBeUndefined();
	});

	it("are not kept beyond the limit, nor when they were not read to the end", async () => {
		const small = new RepeatedBlobs(29);
		small.expect([descriptor, descriptor]);
		expect(small.take(descriptor.digest)).toBeUndefined();
		expect((await readAll(small.keeping(descriptor, given()))).byteLength).toBe(30);
		expect(small.take(descriptor.digest)).toBeUndefined();
		const partial = new RepeatedBlobs(100);
		partial.expect([descriptor, descriptor]);
		partial.take(descriptor.digest);
		for await (const _ of partial.keeping(descriptor, given())) break;
		expect(partial.take(descriptor.digest)).toBeUndefined();
	});
});
