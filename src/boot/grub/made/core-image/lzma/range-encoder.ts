import { ADAPTATION_SHIFT, type BitCoder, PROBABILITY_BITS, PROBABILITY_ONE } from "./bit-coder.ts";

const TOP = 2 ** 24;
const TWO_TO_32 = 2 ** 32;

/** LZMA's range coder, the writing side. Its first byte is always 0. */
export class RangeEncoder implements BitCoder {
	#bytes = new Uint8Array(1024);
	#byteLength = 0;
	/** Below 2^33: bit 32 is a carry into bytes that were not written yet. */
	#low = 0;
	#range = TWO_TO_32 - 1;
	/** The last byte that is known but for a carry, and how many bytes it and the FFs after it are. */
	#held = 0;
	#heldCount = 1;

	bit(probabilities: Uint16Array, index: number, bit: number): void {
		const probability = probabilities[index] ?? 0;
		const bound = (this.#range >>> PROBABILITY_BITS) * probability;
		if (bit === 0) {
			this.#range = bound;
			probabilities[index] = probability + ((PROBABILITY_ONE - probability) >>> ADAPTATION_SHIFT);
		} else {
			this.#low += bound;
			this.#range -= bound;
			probabilities[index] = probability - (probability >>> ADAPTATION_SHIFT);
		}
		this.#normalize();
	}

	direct(value: number, count: number): void {
		for (let shift = count - 1; shift >= 0; shift--) {
			this.#range >>>= 1;
			if (((value >>> shift) & 1) === 1) this.#low += this.#range;
			this.#normalize();
		}
	}

	/** Everything that was coded. Nothing may be coded after it. */
	finish(): Uint8Array {
		for (let i = 0; i < 5; i++) this.#shiftLow();
		return this.#bytes.slice(0, this.#byteLength);
	}

	#normalize(): void {
		while (this.#range < TOP) {
			this.#range *= 256;
			this.#shiftLow();
		}
	}

	#shiftLow(): void {
		const carry = this.#low >= TWO_TO_32 ? 1 : 0;
		if (carry === 1 || this.#low < 0xff000000) {
			for (let byte = this.#held; this.#heldCount > 0; this.#heldCount--) {
				this.#append(byte + carry);
				byte = 0xff;
			}
			this.#held = (this.#low >>> 24) & 0xff;
		}
		this.#heldCount++;
		this.#low = (this.#low % TOP) * 256;
	}

	#append(byte: number): void {
		if (this.#byteLength === this.#bytes.byteLength) {
			const grown = new Uint8Array(this.#byteLength * 2);
			grown.set(this.#bytes);
			this.#bytes = grown;
		}
		this.#bytes[this.#byteLength++] = byte;
	}
}
