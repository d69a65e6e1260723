import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OrderedCompressor } from "../../../src/codec/ordered-compressor.ts";
import { type PortableEncoder, portablePool } from "../../../src/codec/portable-pool.ts";
import { storedPool } from "../../../src/codec/stored-pool.ts";

const BLOCK_BYTES = 4096;

/** Drops every second byte, after a number of turns of the event loop that the block's first byte says. */
const halving: PortableEncoder = {
	name: "halving",
	async encode(block) {
		const encoded = halving.encodeNow(block);
		for (let turns = (block[0] ?? 0) % 8; turns > 0; turns--) await new Promise(setImmediate);
		if (block[1] === 255) throw new Error("the encoder gave up");
		return encoded;
	},
	encodeNow: (block) => block.filter((_, index) => index % 2 === 0),
};

function halvingCompressor(concurrency: number): OrderedCompressor {
	return new OrderedCompressor({ codec: "gzip", level: 9 }, BLOCK_BYTES, "halving", (onReady) =>
		portablePool(halving, BLOCK_BYTES, concurrency, onReady),
	);
}

function submit(compressor: OrderedCompressor, bytes: readonly number[], done: (text: string) => void): void {
	const buffer = compressor.acquire();
	buffer.set(bytes);
	compressor.submit(buffer, bytes.length, (result) => done(`${result.compressed} ${[...result.bytes].join(",")}`));
}

const operation = fc.oneof(
	{ weight: 6, arbitrary: fc.record({ submit: fc.array(fc.nat(254), { minLength: 1, maxLength: 5 }) }) },
	{ weight: 2, arbitrary: fc.constant({ after: true } as const) },
	{ weight: 1, arbitrary: fc.record({ settle: fc.nat(6) }) },
);

describe("OrderedCompressor", () => {
	it("calls back in the order of submission, and bounds what is pending", async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(operation, { maxLength: 40 }),
				fc.integer({ min: 1, max: 5 }),
				async (operations, concurrency) => {
					const compressor = halvingCompressor(concurrency);
					const called: string[] = [];
					const expected: string[] = [];
					let inside = false;
					const call = (text: string): void => {
						expect(inside).toBe(false);
						called.push(text);
					};
					for (const [index, step] of operations.entries()) {
						inside = true;
						if ("submit" in step) {
							const halved = step.submit.filter((_, at) => at % 2 === 0);
							const shrinks = halved.length < step.submit.length;
							expected.push(`${index} ${shrinks} ${(shrinks ? halved : step.submit).join(",")}`);
							submit(compressor, step.submit, (text) => call(`${index} ${text}`));
						} else if ("after" in step) {
							expected.push(`${index} after`);
							compressor.after(() => call(`${index} after`));
						}
						inside = false;
						if ("settle" in step) {
							await compressor.settle(step.settle);
							expect(compressor.pending).toBeLessThanOrEqual(step.settle);
						}
					}
					await compressor.settle(0);
					expect(compressor.pending).toBe(0);
					expect(called).toEqual(expected);
					await compressor.close();
				},
			),
			{ seed: 20, numRuns: 150 },
		);
	});

	it("reuses its buffers", async () => {
		const compressor = halvingCompressor(3);
		const buffers = new Set<Buffer>();
		for (let i = 0; i < 200; i++) {
			const buffer = compressor.acquire();
			buffers.add(buffer);
			compressor.submit(buffer, 2, () => undefined);
			await compressor.settle(4);
		}
		await compressor.settle(0);
		expect(buffers.size).toBeLessThanOrEqual(5);
		expect(new Set([compressor.acquire(), compressor.acquire()]).size).toBe(2);
		await compressor.close();
	});

	it("lets callbacks submit and queue more", async () => {
		const compressor = halvingCompressor(2);
		const called: string[] = [];
		submit(compressor, [3, 1], () => {
			called.push("first");
			submit(compressor, [1, 2], () => called.push("from within"));
			compressor.after(() => called.push("after"));
		});
		submit(compressor, [0, 1], () => called.push("second"));
		await compressor.settle(0);
		expect(called).toEqual(["first", "second", "from within", "after"]);
		await compressor.close();
	});

	it("rejects settle with what a callback threw, and calls no further ones", async () => {
		const compressor = halvingCompressor(2);
		const called: number[] = [];
		submit(compressor, [1, 0], () => called.push(1));
		submit(compressor, [5, 0], () => {
			throw new Error("disk full");
		});
		submit(compressor, [0, 0], () => called.push(3));
		compressor.after(() => called.push(4));
		await expect(compressor.settle(0)).rejects.toThrow("disk full");
		await expect(compressor.settle(100)).rejects.toThrow("disk full");
		submit(compressor, [0, 0], () => called.push(5));
		expect(called).toEqual([1]);
		await compressor.close();
	});

	it("rejects settle when the encoder fails", async () => {
		const compressor = halvingCompressor(2);
		const called: number[] = [];
		submit(compressor, [4, 0], () => called.push(1));
		submit(compressor, [0, 255], () => called.push(2));
		await expect(compressor.settle(0)).rejects.toMatchObject({
			code: "COMPRESSION_FAILED",
			message: expect.stringContaining("the encoder gave up"),
		});
		expect(called).toEqual([1]);
		await compressor.close();
	});

	it("ends a wait when it is closed, and calls nothing back", async () => {
		const compressor = halvingCompressor(1);
		let called = 0;
		for (let i = 0; i < 5; i++) submit(compressor, [7, 0], () => called++);
		const settled = compressor.settle(0);
		await compressor.close();
		await expect(settled).rejects.toMatchObject({ code: "COMPRESSOR_CLOSED", exitStatus: 130 });
		for (let turns = 0; turns < 50; turns++) await new Promise(setImmediate);
		expect(called).toBe(0);
		expect(compressor.pending).toBe(0);
		await compressor.close();
	});

	it("refuses blocks that are none", async () => {
		const compressor = halvingCompressor(1);
		for (const length of [0, BLOCK_BYTES + 1, 1.5])
			expect(() => compressor.submit(compressor.acquire(), length, () => undefined)).toThrow(/a block has/);
		expect(() => compressor.compressNow(Buffer.alloc(0))).toThrow(/metadata block/);
		expect(() => compressor.compressNow(Buffer.alloc(8193))).toThrow(/metadata block/);
		await compressor.close();
	});
});

describe("storing", () => {
	it("hands every block back as it is, later", async () => {
		const compressor = new OrderedCompressor({ codec: "none", level: 0 }, BLOCK_BYTES, "none", (onReady) =>
			storedPool(BLOCK_BYTES, onReady),
		);
		const called: string[] = [];
		submit(compressor, [1, 1, 1, 1], (text) => called.push(text));
		submit(compressor, [2], (text) => called.push(text));
		compressor.after(() => called.push("after"));
		expect(called).toEqual([]);
		await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
		expect(called).toEqual(["false 1,1,1,1", "false 2", "after"]);
		const block = Buffer.alloc(100);
		const now = compressor.compressNow(block);
		expect(now.compressed).toBe(false);
		expect(block.equals(now.bytes)).toBe(true);
		expect(now.bytes.buffer).not.toBe(block.buffer);
		await compressor.close();
	});
});
