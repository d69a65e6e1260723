import type { EncodingPool, EncodingResult } from "./encoding-pool.ts";

/** An encoder without native code of ours. */
export interface PortableEncoder {
	/** Library and version, "node zlib 1.3.1". */
	readonly name: string;
	/** The result is the caller's; `block` is not changed while it is pending. */
	encode(block: Uint8Array): Promise<Uint8Array>;
	encodeNow(block: Uint8Array): Uint8Array;
}

interface Task {
	readonly buffer: Buffer;
	readonly length: number;
	result: EncodingResult | undefined;
}

/** At most `concurrency` blocks are encoded at a time; results are taken in the order of submission. */
export function portablePool(
	encoder: PortableEncoder,
	blockBytes: number,
	concurrency: number,
	onReady: () => void,
): EncodingPool {
	const free: Buffer[] = [];
	let order: Task[] = [];
	let waiting: Task[] = [];
	let running = 0;
	let closed = false;

	const finish = (task: Task, result: EncodingResult): void => {
		task.result = result;
		running--;
		startNext();
		if (!closed && order[0] === task) onReady();
	};
	const startNext = (): void => {
		while (running < concurrency) {
			const task = waiting.shift();
			if (task === undefined) return;
			running++;
			const { buffer, length } = task;
			encoder.encode(buffer.subarray(0, length)).then(
				(encoded) => finish(task, { buffer, length, encoded: encoded.byteLength < length ? encoded : undefined }),
				(error: unknown) => finish(task, { buffer, length, failure: String(error) }),
			);
		}
	};

	return {
		acquire: () => free.pop() ?? Buffer.allocUnsafeSlow(blockBytes),
		release: (buffer) => void free.push(buffer),
		submit(buffer, length) {
			const task: Task = { buffer, length, result: undefined };
			order.push(task);
			waiting.push(task);
			startNext();
		},
		take() {
			const result = order[0]?.result;
			if (result !== undefined) order.shift();
			return result;
		},
		encodeNow(block) {
			const encoded = encoder.encodeNow(block);
			return encoded.byteLength < block.byteLength ? encoded : undefined;
		},
		close() {
			closed = true;
			order = [];
			waiting = [];
			free.length = 0;
		},
	};
}
