import type { Descriptor } from "../descriptor.ts";
import type { Digest } from "../digest.ts";

/** Small blobs that will be read again, in bounded memory. Empty layers are the usual ones; a manifest may list one many times. */
export class RepeatedBlobs {
	readonly #maxBytes: number;
	readonly #readsLeft = new Map<Digest, number>();
	readonly #kept = new Map<Digest, Buffer>();
	#keptBytes = 0;

	/** `maxBytes` is for all of them together. */
	constructor(maxBytes: number) {
		this.#maxBytes = maxBytes;
	}

	/** Every occurrence is one read to come. */
	expect(descriptors: readonly Descriptor[]): void {
		for (const { digest } of descriptors) this.#readsLeft.set(digest, (this.#readsLeft.get(digest) ?? 0) + 1);
	}

	/** Whether another read is to come after the one that `take` has counted. */
	isExpected(digest: Digest): boolean {
		return (this.#readsLeft.get(digest) ?? 0) > 0;
	}

	/** The blob, if it is kept; it is forgotten at the last read that was announced. */
	take(digest: Digest): Buffer | undefined {
		const kept = this.#kept.get(digest);
		const left = this.#countRead(digest);
		if (kept !== undefined && left === 0) {
			this.#kept.delete(digest);
			this.#keptBytes -= kept.byteLength;
		}
		return kept;
	}

	/** Passes the pieces on and keeps the blob if there is room and it was read to the end. */
	async *keeping(
		{ digest, size }: Descriptor,
		pieces: AsyncIterable<Uint8Array>,
	): AsyncGenerator<Uint8Array, void, undefined> {
		if (this.#keptBytes + size > this.#maxBytes || this.#kept.has(digest)) {
			yield* pieces;
			return;
		}
		this.#keptBytes += size;
		const copy = Buffer.alloc(size);
		let position = 0;
		let isComplete = false;
		try {
			for await (const piece of pieces) {
				if (position + piece.byteLength <= size) copy.set(piece, position);
				position += piece.byteLength;
				yield piece;
			}
			isComplete = position === size;
		} finally {
			if (isComplete) this.#kept.set(digest, copy);
			else this.#keptBytes -= size;
		}
	}

	#countRead(digest: Digest): number | undefined {
		const left = this.#readsLeft.get(digest);
		if (left === undefined) return undefined;
		this.#readsLeft.set(digest, Math.max(0, left - 1));
		return left - 1;
	}
}
