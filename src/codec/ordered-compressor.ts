import { assert, Oci2isoError } from "../errors.ts";
import type { EncodingPool, EncodingPoolFactory, EncodingResult } from "./encoding-pool.ts";
import type { BlockCompressor, BranchFilter, CodecName, CompressedBlock } from "./types.ts";

const MAX_METADATA_BLOCK_BYTES = 8192;

type Entry =
	| { readonly kind: "block"; readonly done: (result: CompressedBlock) => void }
	| { readonly kind: "after"; readonly done: () => void };

interface Waiter {
	readonly maxPending: number;
	readonly resolve: () => void;
	readonly reject: (failure: unknown) => void;
}

/**
 * Runs callbacks in the order of submission over any pool.
 *
 * Invariants: `#queue[#head…]` holds what was submitted and not yet called, and starts with a block unless `#flush` is running or due;
 * `#pending` is the number of its blocks, which the pool also holds in that order; after `#failure` is set no callback runs any more.
 */
export class OrderedCompressor implements BlockCompressor {
	readonly codec: CodecName;
	readonly level: number;
	readonly bcj: BranchFilter | undefined;
	readonly encoder: string;
	readonly #blockBytes: number;
	readonly #pool: EncodingPool;
	#queue: Entry[] = [];
	#head = 0;
	#pending = 0;
	#waiters: Waiter[] = [];
	#flushing = false;
	#flushDue = false;
	#failure: { readonly error: unknown } | undefined;
	#closed = false;

	constructor(
		{ codec, level, bcj }: Pick<BlockCompressor, "codec" | "level" | "bcj">,
		blockBytes: number,
		encoder: string,
		makePool: EncodingPoolFactory,
	) {
		this.codec = codec;
		this.level = level;
		this.bcj = bcj;
		this.encoder = encoder;
		this.#blockBytes = blockBytes;
		this.#pool = makePool(() => this.#flush());
	}

	get pending(): number {
		return this.#pending;
	}

	acquire(): Buffer {
		return this.#pool.acquire();
	}

	release(buffer: Buffer): void {
		this.#pool.release(buffer);
	}

	submit(buffer: Buffer, length: number, done: (result: CompressedBlock) => void): void {
		assert(!this.#closed, "nothing is submitted to a closed compressor");
		assert(Number.isInteger(length) && length >= 1 && length <= this.#blockBytes, `a block has ${length} bytes`);
		if (this.#failure !== undefined) {
			this.#pool.release(buffer);
			return;
		}
		this.#pool.submit(buffer, length);
		this.#queue.push({ kind: "block", done });
		this.#pending++;
	}

	after(done: () => void): void {
		assert(!this.#closed, "nothing is queued on a closed compressor");
		if (this.#failure !== undefined) return;
		this.#queue.push({ kind: "after", done });
		if (this.#pending === 0 && !this.#flushDue) {
			this.#flushDue = true;
			queueMicrotask(() => {
				this.#flushDue = false;
				this.#flush();
			});
		}
	}

	settle(maxPending: number): Promise<void> {
		this.#flush();
		if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
		if (this.#isSettled(maxPending)) return Promise.resolve();
		return new Promise((resolve, reject) => this.#waiters.push({ maxPending, resolve, reject }));
	}

	compressNow(block: Uint8Array): { readonly compressed: boolean; readonly bytes: Uint8Array } {
		assert(
			block.byteLength >= 1 && block.byteLength <= MAX_METADATA_BLOCK_BYTES,
			`a metadata block has ${block.byteLength} bytes`,
		);
		const encoded = this.#pool.encodeNow(block);
		return encoded === undefined
			? { compressed: false, bytes: Uint8Array.prototype.slice.call(block) }
			: { compressed: true, bytes: encoded };
	}

	close(): Promise<void> {
		if (!this.#closed) {
			this.#closed = true;
			this.#pool.close();
			if (this.#head < this.#queue.length) this.#failure ??= { error: closedError() };
			this.#queue = [];
			this.#head = 0;
			this.#pending = 0;
			this.#wake();
		}
		return Promise.resolve();
	}

	#isSettled(maxPending: number): boolean {
		return this.#pending <= maxPending && (this.#pending > 0 || this.#head === this.#queue.length);
	}

	/** Calls back for everything that is finished at the head of the order. */
	#flush(): void {
		if (this.#flushing || this.#closed) return;
		this.#flushing = true;
		try {
			while (!this.#closed && this.#step());
		} finally {
			this.#flushing = false;
		}
		this.#wake();
	}

	/** One callback; false when the head is not finished. */
	#step(): boolean {
		const entry = this.#queue[this.#head];
		if (entry === undefined) return false;
		if (entry.kind === "after") {
			this.#advance();
			this.#guard(entry.done);
			return true;
		}
		const result = this.#pool.take();
		if (result === undefined) return false;
		this.#advance();
		this.#pending--;
		this.#guard(() => entry.done(this.#blockOf(result)));
		if (!this.#closed) this.#pool.release(result.buffer);
		return true;
	}

	#blockOf(result: EncodingResult): CompressedBlock {
		if ("failure" in result)
			throw new Oci2isoError({
				code: "COMPRESSION_FAILED",
				kind: "internal",
				what: `${this.encoder} could not compress a block of ${result.length} bytes: ${result.failure}`,
				remedy: "check that memory is not exhausted",
			});
		return result.encoded === undefined
			? { compressed: false, bytes: result.buffer.subarray(0, result.length) }
			: { compressed: true, bytes: result.encoded };
	}

	#guard(callback: () => void): void {
		if (this.#failure !== undefined) return;
		try {
			callback();
		} catch (error) {
			this.#failure = { error };
		}
	}

	#advance(): void {
		this.#head++;
		if (this.#head === this.#queue.length) {
			this.#queue = [];
			this.#head = 0;
		} else if (this.#head >= 1024 && this.#head * 2 > this.#queue.length) {
			this.#queue.splice(0, this.#head);
			this.#head = 0;
		}
	}

	#wake(): void {
		const failure = this.#failure;
		const ready = this.#waiters.filter((waiter) => failure !== undefined || this.#isSettled(waiter.maxPending));
		if (ready.length === 0) return;
		this.#waiters = this.#waiters.filter((waiter) => !ready.includes(waiter));
		for (const waiter of ready) {
			if (failure === undefined) waiter.resolve();
			else waiter.reject(failure.error);
		}
	}
}

function closedError(): Oci2isoError {
	return new Oci2isoError({
		code: "COMPRESSOR_CLOSED",
		kind: "interrupted",
		what: "the compressor was closed while blocks were in flight",
	});
}
