import { KiB, MiB } from "../../binary/units.ts";
import { LzmaDecoder, LzmaFault } from "./lzma-decoder.ts";

const MAX_CHUNK_BYTES = 2 * MiB;

/** Header and compressed content of the longest chunk: what `decodeChunk` has to be given, unless the data ends. */
export const MAX_LZMA2_CHUNK_BYTES = 6 + 64 * KiB;

/**
 * Decodes raw LZMA2 data, as .xz files hold it (The .xz file format, 5.3.1), in one piece or chunk by chunk. `emit` gets each chunk's bytes, valid
 * during the call only. The decoder's window holds at least a dictionary of the newest output once there was that much.
 */
export class Lzma2Decoder {
	readonly dictionaryBytes: number;
	readonly #decoder: LzmaDecoder;
	#needsProperties = true;
	#needsDictionary = true;
	#isAtEnd = false;

	constructor(dictionaryBytes: number) {
		this.dictionaryBytes = dictionaryBytes;
		const windowBytes = dictionaryBytes + Math.max(dictionaryBytes, 2 * MAX_CHUNK_BYTES);
		this.#decoder = new LzmaDecoder(Buffer.allocUnsafeSlow(windowBytes));
	}

	/** The end marker was decoded. */
	get isAtEnd(): boolean {
		return this.#isAtEnd;
	}

	/** Other data comes, from its start. */
	restart(): void {
		this.#needsProperties = true;
		this.#needsDictionary = true;
		this.#isAtEnd = false;
	}

	/** Decodes from `start` to the end marker and returns the offset behind it. Throws `LzmaFault`. */
	decode(input: Uint8Array, start: number, emit: (bytes: Uint8Array) => void): number {
		this.restart();
		let at = start;
		while (!this.#isAtEnd) at = this.decodeChunk(input, at, emit);
		return at;
	}

	/** Decodes the chunk, or the end marker, at `start` and returns the offset behind it. Throws `LzmaFault`. */
	decodeChunk(input: Uint8Array, start: number, emit: (bytes: Uint8Array) => void): number {
		const decoder = this.#decoder;
		let at = start;
		const byte = (offset: number): number => {
			const value = input[offset];
			if (value === undefined) throw new LzmaFault("it ends within a chunk");
			return value;
		};
		const control = byte(at);
		if (control === 0) {
			this.#isAtEnd = true;
			return at + 1;
		}
		if (control === 1 || control >= 0xe0) {
			decoder.reach = 0;
			this.#needsDictionary = false;
		} else if (this.#needsDictionary) throw new LzmaFault("its first chunk needs a dictionary");
		const from = this.#room();
		if (control < 0x80) {
			if (control > 2) throw new LzmaFault(`control byte ${control} is reserved`);
			const length = byte(at + 1) * 256 + byte(at + 2) + 1;
			byte(at + 2 + length);
			decoder.window.set(input.subarray(at + 3, at + 3 + length), from);
			decoder.position = from + length;
			decoder.reach += length;
			at += 3 + length;
		} else {
			const length = ((control & 0x1f) << 16) + byte(at + 1) * 256 + byte(at + 2) + 1;
			const packed = byte(at + 3) * 256 + byte(at + 4) + 1;
			at += 5;
			if (control >= 0xc0) {
				decoder.setProperties(byte(at++));
				this.#needsProperties = false;
			} else if (this.#needsProperties) throw new LzmaFault("its first LZMA chunk has no properties");
			if (control >= 0xa0) decoder.resetState();
			byte(at + packed - 1);
			decoder.decode(input, at, at + packed, from + length);
			at += packed;
		}
		emit(decoder.window.subarray(from, decoder.position));
		return at;
	}

	/** Makes room for a chunk behind the dictionary and returns where it starts. */
	#room(): number {
		const decoder = this.#decoder;
		if (decoder.position + MAX_CHUNK_BYTES > decoder.window.byteLength) {
			decoder.window.copyWithin(0, decoder.position - this.dictionaryBytes, decoder.position);
			decoder.position = this.dictionaryBytes;
		}
		return decoder.position;
	}
}
