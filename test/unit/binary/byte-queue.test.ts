import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteQueue } from "../../../src/binary/byte-queue.ts";
import type { StreamedFile } from "../../../src/boot/initramfs/streamed-file.ts";

/** Chunks that are overwritten as soon as the next one is asked for. */
function passing(chunks: readonly Uint8Array[], onClose: () => void = () => {}): StreamedFile {
	return {
		byteLength: chunks.reduce((sum, { byteLength }) => sum + byteLength, 0),
		async *stream() {
			try {
				for (const chunk of chunks) {
					const memory = Buffer.from(chunk);
					yield memory;
					memory.fill(0xee);
				}
			} finally {
				onClose();
			}
		},
	};
}

describe("a queue of bytes", () => {
	it("gives every byte once, in order, whatever is asked for", async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 12 }),
				fc.array(fc.tuple(fc.nat(50), fc.nat(50), fc.boolean()), { maxLength: 40 }),
				async (chunks, steps) => {
					const all = Buffer.concat(chunks);
					const queue = new ByteQueue(passing(chunks));
					for (const [count, taken, skips] of steps) {
						const { offset } = queue;
						if (skips) {
							expect(await queue.skip(count)).toBe(Math.min(count, all.byteLength - offset));
							continue;
						}
						const bytes = await queue.fill(count);
						expect(bytes.byteLength).toBeGreaterThanOrEqual(Math.min(count, all.byteLength - offset));
						expect(all.subarray(offset, offset + bytes.byteLength).equals(bytes)).toBe(true);
						queue.take(Math.min(taken, bytes.byteLength));
						expect(queue.offset).toBe(offset + Math.min(taken, bytes.byteLength));
					}
				},
			),
			{ seed: 6, numRuns: 1000 },
		);
	});

	it("passes chunks on as they are where one is enough", async () => {
		const chunk = Buffer.alloc(1000);
		const queue = new ByteQueue({
			byteLength: 1000,
			async *stream() {
				yield chunk;
			},
		});
		expect(await queue.fill(1)).toBe(chunk);
		expect((await queue.fill(1000)).buffer).toBe(chunk.buffer);
	});

	it("ends the stream where it is", async () => {
		let closed = 0;
		const queue = new ByteQueue(passing([Buffer.alloc(4), Buffer.alloc(4)], () => closed++));
		await queue.fill(1);
		await queue.close();
		expect(closed).toBe(1);
		queue.take(4);
		expect((await queue.fill(1)).byteLength).toBe(0);
	});

	it("rejects as the stream does", async () => {
		const queue = new ByteQueue({
			byteLength: 10,
			async *stream() {
				yield Buffer.alloc(1);
				throw new Error("gone");
			},
		});
		await expect(queue.fill(2)).rejects.toThrow("gone");
	});
});
