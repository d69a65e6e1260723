import type { EncodingPool } from "./encoding-pool.ts";

/** For `none`: hands every block back as it is. */
export function storedPool(blockBytes: number, onReady: () => void): EncodingPool {
	const free: Buffer[] = [];
	let blocks: { readonly buffer: Buffer; readonly length: number; readonly encoded: undefined }[] = [];
	return {
		acquire: () => free.pop() ?? Buffer.allocUnsafeSlow(blockBytes),
		release: (buffer) => void free.push(buffer),
		submit(buffer, length) {
			if (blocks.length === 0) setImmediate(onReady);
			blocks.push({ buffer, length, encoded: undefined });
		},
		take: () => blocks.shift(),
		encodeNow: () => undefined,
		close() {
			blocks = [];
		},
	};
}
