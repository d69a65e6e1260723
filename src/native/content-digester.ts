import { availableParallelism } from "node:os";
import { DIGEST_BYTES } from "../binary/digest-numbers.ts";
import { codecBackend } from "../codec/backend.ts";
import type { CodecName } from "../codec/types.ts";
import { assert } from "../errors.ts";
import { loadNativeAddon, startThreads } from "./addon.ts";

const MAX_THREADS = 8;
const NUMBERS_PER_UNIT = 3;
/** Parts of one job. */
export const MAX_UNITS = 1024;

/** A part of a job's content. */
export interface DigestedUnit {
	/** In bytes, of the content. */
	readonly offset: number;
	readonly byteLength: number;
	/** Its length, as 8 bytes little endian, is digested behind it. */
	readonly endsWithLength: boolean;
}

/**
 * Told of a job, in the order of submission: how many bytes its content has, undefined where it cannot be decoded or is too short; and the SHA-256 of each
 * part, one behind the other, zeros for a part that is all zero. They are valid during the call.
 */
type OnDigested = (byteLength: number | undefined, digests: Buffer) => void;

/** Decodes blocks and digests parts of them, several at once, on threads of the addon. */
export interface ContentDigester {
	/** Memory for one job, of the slots' size. Waits for a job where all is in use. */
	acquire(): Buffer;
	/** `maxBytes`: of what the first `length` bytes decode to; 0 where they are the content. At most `MAX_UNITS` units. */
	submit(buffer: Buffer, length: number, maxBytes: number, units: readonly DigestedUnit[], onDone: OnDigested): void;
	/** Waits for all jobs. */
	finish(): void;
	/** Ends the threads; safe to call twice. */
	close(): void;
}

/** Undefined where there is no addon, or it lacks the codec. Throws `Oci2isoError` THREADS_UNAVAILABLE. */
export function contentDigester(
	codec: CodecName,
	{ blockBytes, slotBytes }: { readonly blockBytes: number; readonly slotBytes: number },
): ContentDigester | undefined {
	if (codecBackend() === "portable") return undefined;
	const { addon } = loadNativeAddon();
	const decodes = codec !== "none";
	if (addon?.digests !== true || (decodes && addon.codecs[codec] === undefined)) return undefined;
	const threads = Math.min(availableParallelism(), MAX_THREADS);
	const native = startThreads(() => new addon.ContentDigester(decodes ? codec : "", decodes ? blockBytes : 0, threads));
	const maxSlots = 2 * threads + 1;
	const slotOf = new Map<Buffer, number>();
	const free: Buffer[] = [];
	const pending: { readonly buffer: Buffer; readonly onDone: OnDigested }[] = [];
	const digests = Buffer.allocUnsafeSlow(MAX_UNITS * DIGEST_BYTES);
	const numbers = new Int32Array(MAX_UNITS * NUMBERS_PER_UNIT);

	/** False where none is finished. */
	const take = (waits: boolean): boolean => {
		const [first] = pending;
		if (first === undefined) return false;
		const byteLength = native.take(waits, digests);
		if (byteLength < -1) return false;
		pending.shift();
		free.push(first.buffer);
		first.onDone(byteLength < 0 ? undefined : byteLength, digests);
		return true;
	};
	return {
		acquire() {
			while (take(false));
			if (free.length === 0 && slotOf.size === maxSlots) take(true);
			const known = free.pop();
			if (known !== undefined) return known;
			const buffer = native.addSlot(slotBytes);
			slotOf.set(buffer, slotOf.size);
			return buffer;
		},
		submit(buffer, length, maxBytes, units, onDone) {
			const slot = slotOf.get(buffer);
			assert(
				slot !== undefined && units.length <= MAX_UNITS,
				"a job has a buffer from acquire, and not too many parts",
			);
			let at = 0;
			for (const { offset, byteLength, endsWithLength } of units) {
				numbers[at++] = offset;
				numbers[at++] = byteLength;
				numbers[at++] = endsWithLength ? 1 : 0;
			}
			native.submit(slot, length, maxBytes, numbers.subarray(0, at));
			pending.push({ buffer, onDone });
		},
		finish() {
			while (take(true));
		},
		close: () => native.close(),
	};
}
