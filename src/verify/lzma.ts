/** Properties with which grub-mkimage compresses: lc 3, lp 0, pb 2, in a raw stream of known length. */
const LITERAL_CONTEXT_BITS = 3;
const POSITION_MASK = 3;
const STATES = 12;
const PROBABILITY_ONE = 0x800;
const RATE = 5;
const TOP = 2 ** 24;

/** Decodes a raw LZMA stream to exactly `byteLength` bytes; undefined where it is damaged. */
export function decodeLzma(input: Uint8Array, byteLength: number): Uint8Array | undefined {
	return input.byteLength < 5 || input[0] !== 0 ? undefined : new LzmaDecoder(input).decode(byteLength);
}

const probabilities = (count: number): Uint16Array => new Uint16Array(count).fill(PROBABILITY_ONE / 2);

/** Lengths of matches and repetitions: 2 to 273. */
class LengthCoder {
	readonly choice = probabilities(2);
	readonly low = probabilities((POSITION_MASK + 1) * 8);
	readonly middle = probabilities((POSITION_MASK + 1) * 8);
	readonly high = probabilities(256);
}

class LzmaDecoder {
	readonly #input: Uint8Array;
	#at = 5;
	#range = 0xffff_ffff;
	#code: number;

	constructor(input: Uint8Array) {
		this.#input = input;
		this.#code = new DataView(input.buffer, input.byteOffset).getUint32(1);
	}

	decode(byteLength: number): Uint8Array | undefined {
		const output = new Uint8Array(byteLength);
		const literals = probabilities(0x300 << LITERAL_CONTEXT_BITS);
		const isMatch = probabilities(STATES * 4);
		const isRep = probabilities(STATES);
		const isRep0 = probabilities(STATES);
		const isRep1 = probabilities(STATES);
		const isRep2 = probabilities(STATES);
		const isRep0Long = probabilities(STATES * 4);
		const slots = probabilities(4 * 64);
		const special = probabilities(115);
		const align = probabilities(16);
		const lengths = new LengthCoder();
		const repeatLengths = new LengthCoder();
		const distances = [0, 0, 0, 0] as [number, number, number, number];
		let state = 0;
		for (let at = 0; at < byteLength; ) {
			if (this.#at > this.#input.byteLength + 8) return undefined;
			const position = at & POSITION_MASK;
			if (this.#bit(isMatch, state * 4 + position) === 0) {
				const context = ((output[at - 1] ?? 0) >> (8 - LITERAL_CONTEXT_BITS)) * 0x300;
				const matched = state >= 7 ? output[at - distances[0] - 1] : undefined;
				output[at++] = this.#literal(literals, context, matched);
				state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
				continue;
			}
			let length: number;
			if (this.#bit(isRep, state) === 0) {
				distances.splice(0, 4, 0, distances[0], distances[1], distances[2]);
				length = this.#length(lengths, position);
				distances[0] = this.#distance(slots, special, align, length);
				state = state < 7 ? 7 : 10;
				if (distances[0] === 0xffff_ffff) return undefined;
			} else {
				const isFirst = this.#bit(isRep0, state) === 0;
				if (isFirst && this.#bit(isRep0Long, state * 4 + position) === 0) {
					length = 1;
					state = state < 7 ? 9 : 11;
				} else {
					if (!isFirst) {
						const index = this.#bit(isRep1, state) === 0 ? 1 : this.#bit(isRep2, state) === 0 ? 2 : 3;
						distances.unshift(...distances.splice(index, 1));
					}
					length = this.#length(repeatLengths, position);
					state = state < 7 ? 8 : 11;
				}
			}
			const distance = distances[0] + 1;
			if (distance > at || at + length > byteLength) return undefined;
			for (const end = at + length; at < end; at++) output[at] = output[at - distance] ?? 0;
		}
		return this.#at <= this.#input.byteLength ? output : undefined;
	}

	#literal(table: Uint16Array, context: number, matched: number | undefined): number {
		let symbol = 1;
		if (matched !== undefined) {
			for (let match = matched; symbol < 0x100; match <<= 1) {
				const matchBit = (match >> 7) & 1;
				const bit = this.#bit(table, context + ((1 + matchBit) << 8) + symbol);
				symbol = (symbol << 1) | bit;
				if (matchBit !== bit) break;
			}
		}
		while (symbol < 0x100) symbol = (symbol << 1) | this.#bit(table, context + symbol);
		return symbol & 0xff;
	}

	#length(coder: LengthCoder, position: number): number {
		if (this.#bit(coder.choice, 0) === 0) return 2 + this.#tree(coder.low, position * 8, 3);
		if (this.#bit(coder.choice, 1) === 0) return 10 + this.#tree(coder.middle, position * 8, 3);
		return 18 + this.#tree(coder.high, 0, 8);
	}

	#distance(slots: Uint16Array, special: Uint16Array, align: Uint16Array, length: number): number {
		const slot = this.#tree(slots, Math.min(length - 2, 3) * 64, 6);
		if (slot < 4) return slot;
		const directBits = (slot >> 1) - 1;
		const base = (2 | (slot & 1)) * 2 ** directBits;
		if (slot < 14) return base + this.#reverseTree(special, base - slot, directBits);
		let direct = 0;
		for (let i = 0; i < directBits - 4; i++) direct = direct * 2 + this.#directBit();
		return base + direct * 16 + this.#reverseTree(align, 0, 4);
	}

	#tree(table: Uint16Array, offset: number, bits: number): number {
		let symbol = 1;
		for (let i = 0; i < bits; i++) symbol = (symbol << 1) | this.#bit(table, offset + symbol);
		return symbol - (1 << bits);
	}

	#reverseTree(table: Uint16Array, offset: number, bits: number): number {
		let symbol = 1;
		let value = 0;
		for (let i = 0; i < bits; i++) {
			const bit = this.#bit(table, offset + symbol);
			symbol = (symbol << 1) | bit;
			value |= bit << i;
		}
		return value;
	}

	#bit(table: Uint16Array, index: number): 0 | 1 {
		const probability = table[index] ?? PROBABILITY_ONE / 2;
		const bound = (this.#range >>> 11) * probability;
		const bit = this.#code < bound ? 0 : 1;
		if (bit === 0) {
			this.#range = bound;
			table[index] = probability + ((PROBABILITY_ONE - probability) >> RATE);
		} else {
			this.#range -= bound;
			this.#code -= bound;
			table[index] = probability - (probability >> RATE);
		}
		this.#normalize();
		return bit;
	}

	#directBit(): 0 | 1 {
		this.#range = this.#range >>> 1;
		const bit = this.#code >= this.#range ? 1 : 0;
		if (bit === 1) this.#code -= this.#range;
		this.#normalize();
		return bit;
	}

	#normalize(): void {
		if (this.#range >= TOP) return;
		this.#range = (this.#range * 256) >>> 0;
		this.#code = ((this.#code * 256) >>> 0) + (this.#input[this.#at] ?? 0);
		this.#at++;
	}
}
