import type { EncodingPool, EncodingResult } from "../codec/encoding-pool.ts";
import type { BranchFilter, CodecName } from "../codec/types.ts";
import { assert } from "../errors.ts";
import { type NativeAddon, startThreads } from "./addon.ts";

const RESULTS_PER_DRAIN = 64;

interface Slot {
	readonly input: Buffer;
	readonly output: Buffer;
	/** Bytes submitted */
	length: number;
}

/** The addon's own threads. A block's input and output live in memory that the addon made, so that handing over costs no copy. */
export function nativePool(
	addon: NativeAddon,
	settings: {
		readonly codec: CodecName;
		readonly level: number;
		readonly blockBytes: number;
		readonly threads: number;
		readonly bcj?: BranchFilter | undefined;
	},
	onReady: () => void,
): EncodingPool {
	const { codec, level, blockBytes, threads, bcj } = settings;
	const native = startThreads(() => new addon.BlockCompressor(codec, level, blockBytes, threads, onReady, bcj));
	const slots: Slot[] = [];
	const slotOf = new Map<Buffer, number>();
	const free: Buffer[] = [];
	const results = new Int32Array(2 * RESULTS_PER_DRAIN);
	const scratch = Buffer.allocUnsafeSlow(8192);
	let resultCount = 0;
	let nextResult = 0;
	let closed = false;

	const resultAt = (at: number): EncodingResult => {
		const slot = slots[results[2 * at] ?? -1];
		const encodedBytes = results[2 * at + 1] ?? -1;
		assert(slot !== undefined, "the addon answers with slots it made");
		if (encodedBytes < 0) return { buffer: slot.input, length: slot.length, failure: "the encoder reports an error" };
		const encoded = encodedBytes === 0 ? undefined : slot.output.subarray(0, encodedBytes);
		return { buffer: slot.input, length: slot.length, encoded };
	};

	return {
		acquire() {
			const buffer = free.pop();
			if (buffer !== undefined) return buffer;
			const [input, output] = native.addSlot();
			slotOf.set(input, slots.length);
			slots.push({ input, output, length: 0 });
			return input;
		},
		release(buffer) {
			assert(slotOf.has(buffer), "a released buffer comes from acquire");
			free.push(buffer);
		},
		submit(buffer, length) {
			const index = slotOf.get(buffer);
			const slot = slots[index ?? -1];
			assert(index !== undefined && slot !== undefined, "a submitted buffer comes from acquire");
			native.submit(index, length);
			slot.length = length;
		},
		take() {
			if (closed) return undefined;
			if (nextResult === resultCount) {
				nextResult = 0;
				resultCount = native.drain(results);
				if (resultCount === 0) return undefined;
			}
			return resultAt(nextResult++);
		},
		encodeNow(block) {
			const encodedBytes = native.encodeNow(block, scratch);
			assert(encodedBytes >= 0, "the encoder takes a metadata block");
			return encodedBytes === 0 ? undefined : Buffer.from(scratch.subarray(0, encodedBytes));
		},
		close() {
			closed = true;
			native.close();
		},
	};
}
