/** Takes the bits that LZMA's symbols are made of: the range encoder writes them, the price meter tells what they would cost. */
export interface BitCoder {
	/** One bit, coded with the adaptive probability at `probabilities[index]`. */
	bit(probabilities: Uint16Array, index: number, bit: number): void;
	/** The low `count` bits of `value`, highest first, each as likely 0 as 1. */
	direct(value: number, count: number): void;
}

/** Probabilities are of a 0 bit, in units of 2^-11. */
export const PROBABILITY_BITS = 11;
export const PROBABILITY_ONE = 1 << PROBABILITY_BITS;
/** How fast a probability follows what was coded with it. */
export const ADAPTATION_SHIFT = 5;

/** The low `bitCount` bits of `value`, highest first, each with the probability of its place in a binary tree at `base`. */
export function codeTree(coder: BitCoder, tree: Uint16Array, base: number, bitCount: number, value: number): void {
	let node = 1;
	for (let shift = bitCount - 1; shift >= 0; shift--) {
		const bit = (value >>> shift) & 1;
		coder.bit(tree, base + node, bit);
		node = (node << 1) | bit;
	}
}

/** As `codeTree`, lowest bit first. */
export function codeReverseTree(
	coder: BitCoder,
	tree: Uint16Array,
	base: number,
	bitCount: number,
	value: number,
): void {
	let node = 1;
	for (let shift = 0; shift < bitCount; shift++) {
		const bit = (value >>> shift) & 1;
		coder.bit(tree, base + node, bit);
		node = (node << 1) | bit;
	}
}
