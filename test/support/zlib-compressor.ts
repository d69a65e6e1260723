import { deflateSync, inflateSync } from "node:zlib";
import type { BlockCompressor, BlockDecompressor, CompressedBlock } from "../../src/codec/types.ts";
import { corrupt } from "../../src/errors.ts";

export interface ZlibCompressorOptions {
	readonly blockBytes: number;
	/** Deliver at most this many results in one turn of the event loop: plays a slow or a quick pool. */
	readonly resultsPerTurn?: number | undefined;
	/** Store everything as it is. */
	readonly stored?: boolean | undefined;
}

/** gzip blocks by node:zlib on this thread, delivered later and in order: what unit tests compress with. */
export function zlibCompressor({
	blockBytes,
	resultsPerTurn = 4,
	stored = false,
}: ZlibCompressorOptions): BlockCompressor {
	const queue: (() => void)[] = [];
	const pool: Buffer[] = [];
	const waiting: { readonly maxPending: number; resolve(): void; reject(error: unknown): void }[] = [];
	let failure: { readonly error: unknown } | undefined;
	let running = false;

	const compressNow = (block: Uint8Array): CompressedBlock => {
		const bytes = stored ? block : deflateSync(block, { level: 6 });
		return bytes.byteLength < block.byteLength
			? { compressed: true, bytes }
			: { compressed: false, bytes: Buffer.from(block) };
	};
	const wake = (): void => {
		for (const waiter of waiting.splice(0)) {
			if (failure !== undefined) waiter.reject(failure.error);
			else if (queue.length <= waiter.maxPending) waiter.resolve();
			else waiting.push(waiter);
		}
	};
	const turn = (): void => {
		try {
			for (let i = 0; i < resultsPerTurn && failure === undefined; i++) queue.shift()?.();
		} catch (error) {
			failure = { error };
		}
		running = queue.length > 0 && failure === undefined;
		if (running) setImmediate(turn);
		wake();
	};
	const enqueue = (job: () => void): void => {
		queue.push(job);
		if (running) return;
		running = true;
		setImmediate(turn);
	};
	return {
		codec: stored ? "none" : "gzip",
		level: 9,
		encoder: "node:zlib in tests",
		get pending() {
			return queue.length;
		},
		acquire: () => pool.pop() ?? Buffer.alloc(blockBytes, 0xa5),
		release: (buffer) => void pool.push(buffer.fill(0xa5)),
		submit(buffer, length, done) {
			enqueue(() => {
				done(compressNow(buffer.subarray(0, length)));
				pool.push(buffer.fill(0xa5));
			});
		},
		after: (done) => enqueue(done),
		settle: (maxPending) =>
			new Promise((resolve, reject) => {
				waiting.push({ maxPending, resolve, reject });
				wake();
			}),
		compressNow,
		close: () => Promise.resolve(),
	};
}

export const zlibDecompressor: BlockDecompressor = {
	decompress(block, maxBytes) {
		try {
			return inflateSync(block, { maxOutputLength: maxBytes });
		} catch {
			throw corrupt("CORRUPT_BLOCK", "a zlib block does not decode");
		}
	},
};
