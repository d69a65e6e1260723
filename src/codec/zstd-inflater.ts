import { MiB } from "../binary/units.ts";
import { loadNativeAddon, type NativeZstdInflater } from "../native/addon.ts";
import { codecBackend } from "./backend.ts";
import { PortableZstdInflater } from "./portable-zstd-inflater.ts";
import type { CodecBackend } from "./types.ts";
import { MAX_WINDOW_LOG, truncatedZstd, zstdFailure } from "./zstd-frame.ts";

const OUTPUT_BYTES = MiB / 4;

/**
 * Inflates a stream of zstd frames, one after another, and steps over skippable frames (RFC 8878). Memory is bounded by the window,
 * at most 128 MiB. Errors are `Oci2isoError` (corrupt): CORRUPT_ZSTD, ZSTD_WINDOW_TOO_LARGE, TRUNCATED_ZSTD.
 */
export class ZstdInflater {
	readonly #decoder: Decoder;

	constructor(options: { readonly backend?: CodecBackend | undefined } = {}) {
		const { addon } = codecBackend(options.backend) === "portable" ? {} : loadNativeAddon();
		this.#decoder =
			addon === undefined ? new PortableZstdInflater() : new NativeDecoder(new addon.ZstdInflater(MAX_WINDOW_LOG));
	}

	/**
	 * Decodes all of `chunk`. What `emit` gets is valid only during that call. A few bytes of input can be many of output: use
	 * `inflate` where the caller wants to wait in between.
	 */
	push(chunk: Uint8Array, emit: (bytes: Uint8Array) => void): void {
		for (const bytes of this.inflate(chunk)) emit(bytes);
	}

	/** Decodes `chunk` piece by piece, at most 256 KiB each; a piece is valid until the next one is pulled. Pull to the end before the next chunk. */
	inflate(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
		return this.#decoder.inflate(chunk);
	}

	/** States that the stream ends here. */
	finish(): void {
		if (!this.#decoder.betweenFrames) throw truncatedZstd();
	}
}

interface Decoder {
	/** Whether the stream may end here. */
	readonly betweenFrames: boolean;
	inflate(chunk: Uint8Array): Generator<Uint8Array, void, undefined>;
}

class NativeDecoder implements Decoder {
	readonly #native: NativeZstdInflater;
	readonly #output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
	readonly #progress = new Int32Array(2);
	betweenFrames = true;

	constructor(native: NativeZstdInflater) {
		this.#native = native;
	}

	*inflate(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
		if (chunk.byteLength === 0) return;
		let offset = 0;
		for (;;) {
			const status = this.#native.step(chunk, offset, this.#output, this.#progress);
			if (typeof status === "string") throw zstdFailure(status);
			const [consumed = 0, produced = 0] = this.#progress;
			offset += consumed;
			// Without input or output the decoder answers about the next frame, which has not begun.
			if (consumed > 0 || produced > 0) this.betweenFrames = status === 1;
			if (produced > 0) yield this.#output.subarray(0, produced);
			if (offset === chunk.byteLength && produced < this.#output.byteLength) return;
		}
	}
}
