import type { StreamedFile } from "../boot/initramfs/streamed-file.ts";

const NOTHING = new Uint8Array();

/**
 * The bytes of a file, looked at ahead and taken in order. It holds what was asked for at once and nothing more: chunks are passed on as they come
 * where that is enough.
 *
 * Invariants: the bytes at hand are `#window`, then `#behind`; `#behind` is empty unless `#window` lies in `#joined`.
 */
export class ByteQueue {
	/** Bytes of the whole file. */
	readonly byteLength: number;
	readonly #chunks: AsyncIterator<Uint8Array>;
	#window: Uint8Array = NOTHING;
	#behind: Uint8Array = NOTHING;
	#joined = Buffer.alloc(0);
	#offset = 0;
	#hasEnded = false;

	constructor(file: StreamedFile) {
		this.byteLength = file.byteLength;
		this.#chunks = file.stream()[Symbol.asyncIterator]();
	}

	/** Bytes taken since the start of the file. */
	get offset(): number {
		return this.#offset;
	}

	/**
	 * The next bytes, at least `count` of them in one piece; fewer only where the file ends. Valid until the next call of `fill` or `skip`.
	 * Rejects as the file's stream does.
	 */
	async fill(count: number): Promise<Uint8Array> {
		while (this.#window.byteLength < count) {
			if (this.#behind.byteLength === 0 && !(await this.#nextChunk(count))) break;
			this.#join(count);
		}
		return this.#window;
	}

	/** Goes on behind the first `count` of the bytes that `fill` returned. */
	take(count: number): void {
		this.#offset += count;
		this.#window = this.#window.subarray(count);
		if (this.#window.byteLength > 0) return;
		this.#window = this.#behind;
		this.#behind = NOTHING;
	}

	/** Goes on `count` bytes later, or at the end; returns how many there were. */
	async skip(count: number): Promise<number> {
		let left = count;
		while (left > 0) {
			const { byteLength } = await this.fill(1);
			if (byteLength === 0) break;
			const length = Math.min(left, byteLength);
			this.take(length);
			left -= length;
		}
		return count - left;
	}

	/** Ends the file's stream, wherever it is. */
	async close(): Promise<void> {
		this.#hasEnded = true;
		await this.#chunks.return?.();
	}

	/** Sets `#behind`; what is at hand is brought to safety first, for a chunk ends with the next one. */
	async #nextChunk(count: number): Promise<boolean> {
		if (this.#hasEnded) return false;
		if (this.#window.byteLength > 0 && this.#window.buffer !== this.#joined.buffer) this.#moveToJoined(count);
		const { done, value } = await this.#chunks.next();
		if (done === true) {
			this.#hasEnded = true;
			return false;
		}
		this.#behind = value;
		return true;
	}

	/** Moves bytes from `#behind` to the end of `#window`, as many as are wanted. */
	#join(count: number): void {
		const { byteLength } = this.#window;
		if (byteLength === 0) {
			this.#window = this.#behind;
			this.#behind = NOTHING;
			return;
		}
		this.#moveToJoined(count);
		const more = this.#behind.subarray(0, count - byteLength);
		this.#joined.set(more, byteLength);
		this.#window = this.#joined.subarray(0, byteLength + more.byteLength);
		this.#behind = this.#behind.subarray(more.byteLength);
	}

	/** Puts `#window` at the start of memory of its own, with room for `count` bytes. */
	#moveToJoined(count: number): void {
		const before = this.#joined;
		if (before.byteLength < count)
			this.#joined = Buffer.allocUnsafeSlow(Math.max(count, this.#window.byteLength, 2 * before.byteLength));
		else if (this.#window.buffer === before.buffer && this.#window.byteOffset === before.byteOffset) return;
		this.#joined.set(this.#window);
		this.#window = this.#joined.subarray(0, this.#window.byteLength);
	}
}
