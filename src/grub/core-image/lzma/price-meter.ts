import { type BitCoder, PROBABILITY_BITS, PROBABILITY_ONE } from "./bit-coder.ts";

/** Prices are in units of 2^-6 bit. */
const FRACTION_BITS = 6;
const BIT_PRICE = 1 << FRACTION_BITS;
/** Probabilities this close have one price. */
const STEP_SHIFT = 3;

/** Price of a symbol of each probability. Integers only: floating-point logarithms are not the same everywhere. */
const PRICES = Uint16Array.from({ length: PROBABILITY_ONE >>> STEP_SHIFT }, (_, step) => {
	const middle = (step << STEP_SHIFT) + (1 << (STEP_SHIFT - 1));
	return PROBABILITY_BITS * BIT_PRICE - binaryLogarithm(middle);
});

/** log2 of an integer from 1 to 65535, in units of 2^-6: each squaring yields one more binary digit. */
function binaryLogarithm(value: number): number {
	let integer = 0;
	while (value >>> (integer + 1) > 0) integer++;
	let mantissa = value * 2 ** (15 - integer);
	let logarithm = integer;
	for (let i = 0; i < FRACTION_BITS; i++) {
		mantissa = Math.floor((mantissa * mantissa) / 2 ** 15);
		const digit = mantissa >= 2 ** 16 ? 1 : 0;
		if (digit === 1) mantissa = Math.floor(mantissa / 2);
		logarithm = logarithm * 2 + digit;
	}
	return logarithm;
}

/** Adds up what bits would cost with the probabilities as they are. */
export class PriceMeter implements BitCoder {
	#price = 0;

	bit(probabilities: Uint16Array, index: number, bit: number): void {
		const ofZero = probabilities[index] ?? 0;
		this.#price += PRICES[(bit === 0 ? ofZero : PROBABILITY_ONE - ofZero) >>> STEP_SHIFT] ?? 0;
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
