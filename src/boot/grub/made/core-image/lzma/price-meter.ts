import { type BitCoder, PROBABILITY_BITS, PROBABILITY_ONE } from "./bit-coder.ts";

/** Prices are in units of 2^-4 bit. */
const FRACTION_BITS = 4;
const BIT_PRICE = 1 << FRACTION_BITS;
/** Probabilities this close have one price. */
const STEP_SHIFT = 4;

/** Price of a symbol of each probability. */
const PRICES = Uint16Array.from({ length: PROBABILITY_ONE >>> STEP_SHIFT }, (_, step) => {
	const middle = (step << STEP_SHIFT) + (1 << (STEP_SHIFT - 1));
	return PROBABILITY_BITS * BIT_PRICE - binaryLogarithm(middle);
});

/**
 * log2 of an integer from 8 to 65535 in units of 2^-4, rounded down: of its 16th power, kept to 16 bits. Integers only: floating-point logarithms are not
 * the same everywhere.
 */
function binaryLogarithm(value: number): number {
	let mantissa = value;
	let shifts = 0;
	for (let i = 0; i < FRACTION_BITS; i++) {
		mantissa *= mantissa;
		shifts *= 2;
		for (; mantissa >= 2 ** 16; shifts++) mantissa = Math.floor(mantissa / 2);
	}
	return shifts + 15;
}

/** Adds up what bits would cost with the probabilities as they are. */
export class PriceMeter implements BitCoder {
	#price = 0;

	bit(probabilities: Uint16Array, index: number, bit: number): void {
		const ofZero = probabilities[index] ?? 0;
		this.#price += PRICES[(bit === 0 ? ofZero : PROBABILITY_ONE - 1 - ofZero) >>> STEP_SHIFT] ?? 0;
	}

	direct(_value: number, count: number): void {
		this.#price += count * BIT_PRICE;
	}

	/** The price since the last call. */
	take(): number {
		const price = this.#price;
		this.#price = 0;
		return price;
	}
}
