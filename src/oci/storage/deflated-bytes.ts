import { promisify } from "node:util";
import { deflateRaw, deflateRawSync, inflateRaw } from "node:zlib";
import { KiB } from "../../binary/units.ts";

const CHUNK_BYTES = 256 * KiB;
/** Chunks that wait for a thread at once; beyond, this one takes its part. */
const MAX_WAITING = 4;
const LEVEL = 1;

const deflate = promisify(deflateRaw) as (bytes: Uint8Array, options: { level: number }) => Promise<Buffer>;
const inflate = promisify(inflateRaw) as (bytes: Uint8Array) => Promise<Buffer>;

/** Bytes that are held deflated, on threads of their own, until they are read again. */
export class DeflatedBytes {
	readonly #chunks: (Buffer | Promise<Buffer>)[] = [];
	#open = Buffer.allocUnsafeSlow(CHUNK_BYTES);
	#openBytes = 0;
	#waiting = 0;
	byteLength = 0;

	append(bytes: Uint8Array): void {
		this.byteLength += bytes.byteLength;
		for (let at = 0; at < bytes.byteLength; ) {
			const part = bytes.subarray(at, at + CHUNK_BYTES - this.#openBytes);
			this.#open.set(part, this.#openBytes);
			this.#openBytes += part.byteLength;
			at += part.byteLength;
			if (this.#openBytes === CHUNK_BYTES) this.#close();
		}
	}

	/** All of them, in pieces, of which only the last is empty; once. Rejects where there is no memory. */
	async *read(): AsyncGenerator<Buffer, void, undefined> {
		for (const chunk of this.#chunks) yield await inflate(await chunk);
		if (this.#openBytes > 0) yield this.#open.subarray(0, this.#openBytes);
		yield this.#open.subarray(0, 0);
	}

	#close(): void {
		const [bytes, number] = [this.#open, this.#chunks.length];
		this.#open = Buffer.allocUnsafeSlow(CHUNK_BYTES);
		this.#openBytes = 0;
		if (this.#waiting === MAX_WAITING) {
			this.#chunks.push(deflateRawSync(bytes, { level: LEVEL }));
			return;
		}
		this.#waiting++;
		const deflating = deflate(bytes, { level: LEVEL });
		this.#chunks.push(deflating);
		// a failure is the reader's
		deflating.then(
			(deflated) => {
				this.#waiting--;
				this.#chunks[number] = deflated;
			},
			() => {},
		);
	}
}
