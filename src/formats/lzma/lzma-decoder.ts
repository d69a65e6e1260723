import {
	ALIGN_BITS,
	FIRST_SLOT_WITH_DIRECT_BITS,
	FIRST_SLOT_WITH_FOOTER,
	FIRST_STATE_AFTER_MATCH,
	LENGTH_CLASSES,
	LITERAL_PROBABILITIES,
	MIN_MATCH_BYTES,
	probabilities,
	SLOT_BITS,
	SPECIAL_DISTANCES,
	STATES,
	stateAfter,
} from "./lzma-model.ts";

const TOP = 2 ** 24;
const POSITION_STATES = 16;
/** Bytes of a stream before its first symbol: 0 and the range coder's code. */
const STREAM_HEAD_BYTES = 5;
/** A decoder may look at a few bytes behind the last symbol; what is there does not matter. */
const MAX_BYTES_BEHIND = 8;

/** What is wrong with LZMA or LZMA2 data. */
export class LzmaFault extends Error {}

/** Probabilities of match or repetition lengths. */
class LengthModel {
	readonly choice = probabilities(2);
	readonly low = probabilities(POSITION_STATES << 3);
	readonly middle = probabilities(POSITION_STATES << 3);
	readonly high = probabilities(256);
}

/**
 * The decoder of LZMA's symbols (LZMA SDK, lzma-specification), into a window that its user keeps.
 *
 * Invariants: `window[0..position)` is the newest output; the range decoder reads the input from `#at` and nothing of it from `#inputEnd` on.
 */
export class LzmaDecoder {
	readonly window: Uint8Array;
	/** Where the next byte of output goes in `window`. */
	position = 0;
	/** Bytes of output, up to the last, that a distance may reach. */
	reach = 0;
	#input: Uint8Array = new Uint8Array();
	#at = 0;
	#inputEnd = 0;
	#range = 0;
	#code = 0;

	#lc = 0;
	#lpMask = 0;
	#pbMask = 0;
	#state = 0;
	readonly #reps: [number, number, number, number] = [0, 0, 0, 0];
	#literal = probabilities(0);
	#isMatch = probabilities(0);
	#isRep = probabilities(0);
	#isRepG0 = probabilities(0);
	#isRepG1 = probabilities(0);
	#isRepG2 = probabilities(0);
	#isRep0Long = probabilities(0);
	#slot = probabilities(0);
	#special = probabilities(0);
	#align = probabilities(0);
	#length = new LengthModel();
	#repLength = new LengthModel();

	constructor(window: Uint8Array) {
		this.window = window;
	}

	/** lc, lp and pb in one byte, `(pb * 5 + lp) * 9 + lc`; lc + lp is at most 4. `resetState` has to follow. Throws `LzmaFault`. */
	setProperties(properties: number): void {
		if (properties >= 9 * 5 * 5) throw new LzmaFault("its properties are out of range");
		const lc = properties % 9;
		const lp = Math.floor(properties / 9) % 5;
		if (lc + lp > 4) throw new LzmaFault("its properties are out of range");
		this.#lc = lc;
		this.#lpMask = (1 << lp) - 1;
		this.#pbMask = (1 << Math.floor(properties / 45)) - 1;
		this.#literal = probabilities(LITERAL_PROBABILITIES << (lc + lp));
	}

	resetState(): void {
		this.#state = 0;
		this.#reps.fill(0);
		this.#literal.fill(1024);
		this.#isMatch = probabilities(STATES * POSITION_STATES);
		this.#isRep = probabilities(STATES);
		this.#isRepG0 = probabilities(STATES);
		this.#isRepG1 = probabilities(STATES);
		this.#isRepG2 = probabilities(STATES);
		this.#isRep0Long = probabilities(STATES * POSITION_STATES);
		this.#slot = probabilities(LENGTH_CLASSES << SLOT_BITS);
		this.#special = probabilities(SPECIAL_DISTANCES);
		this.#align = probabilities(1 << ALIGN_BITS);
		this.#length = new LengthModel();
		this.#repLength = new LengthModel();
	}

	/**
	 * Decodes the stream in `input[start..inputEnd)` until `position` is `end`, which has to be within the window, and returns the offset behind
	 * what it read: beyond `inputEnd` where the stream is too short. Throws `LzmaFault`.
	 */
	decode(input: Uint8Array, start: number, inputEnd: number, end: number): number {
		if (inputEnd - start < STREAM_HEAD_BYTES) throw new LzmaFault("an LZMA stream is too short");
		this.#input = input;
		this.#inputEnd = inputEnd;
		this.#at = start + STREAM_HEAD_BYTES;
		this.#range = 0xffffffff;
		this.#code =
			(((input[start + 1] ?? 0) << 24) |
				((input[start + 2] ?? 0) << 16) |
				((input[start + 3] ?? 0) << 8) |
				(input[start + 4] ?? 0)) >>>
			0;
		const { window } = this;
		while (this.position < end) {
			if (this.#at > inputEnd + MAX_BYTES_BEHIND) throw new LzmaFault("an LZMA stream is too short");
			const positionState = this.reach & this.#pbMask;
			const state = this.#state;
			if (this.#bit(this.#isMatch, state * POSITION_STATES + positionState) === 0) {
				window[this.position] = this.#decodeLiteral();
				this.position++;
				this.reach++;
				this.#state = stateAfter.literal(state);
				continue;
			}
			const length = this.#matchLength(state, positionState);
			const distance = this.#reps[0] + 1;
			if (distance > this.reach || distance > this.position || length > end - this.position)
				throw new LzmaFault("a match reaches too far");
			const to = this.position + length;
			for (let at = this.position; at < to; at++) window[at] = window[at - distance] ?? 0;
			this.position = to;
			this.reach += length;
		}
		return this.#at;
	}

	/** The length of a match, its distance in `#reps[0]`. */
	#matchLength(state: number, positionState: number): number {
		const reps = this.#reps;
		if (this.#bit(this.#isRep, state) === 0) {
			reps[3] = reps[2];
			reps[2] = reps[1];
			reps[1] = reps[0];
			const length = this.#decodeLength(this.#length, positionState);
			this.#state = stateAfter.match(state);
			reps[0] = this.#decodeDistance(length);
			return length + MIN_MATCH_BYTES;
		}
		if (this.#bit(this.#isRepG0, state) === 0) {
			if (this.#bit(this.#isRep0Long, state * POSITION_STATES + positionState) === 0) {
				this.#state = stateAfter.shortRepeat(state);
				return 1;
			}
		} else {
			let distance = reps[1];
			if (this.#bit(this.#isRepG1, state) !== 0) {
				distance = reps[2];
				if (this.#bit(this.#isRepG2, state) !== 0) {
					distance = reps[3];
					reps[3] = reps[2];
				}
				reps[2] = reps[1];
			}
			reps[1] = reps[0];
			reps[0] = distance;
		}
		this.#state = stateAfter.repeat(state);
		return this.#decodeLength(this.#repLength, positionState) + MIN_MATCH_BYTES;
	}

	#decodeLiteral(): number {
		const previous = this.reach === 0 ? 0 : (this.window[this.position - 1] ?? 0);
		const model = LITERAL_PROBABILITIES * (((this.reach & this.#lpMask) << this.#lc) + (previous >> (8 - this.#lc)));
		const literal = this.#literal;
		let symbol = 1;
		if (this.#state >= FIRST_STATE_AFTER_MATCH) {
			let matched = this.window[this.position - this.#reps[0] - 1] ?? 0;
			do {
				const matchBit = (matched >> 7) & 1;
				matched <<= 1;
				const bit = this.#bit(literal, model + ((1 + matchBit) << 8) + symbol);
				symbol = (symbol << 1) | bit;
				if (matchBit !== bit) break;
			} while (symbol < 0x100);
		}
		while (symbol < 0x100) symbol = (symbol << 1) | this.#bit(literal, model + symbol);
		return symbol & 0xff;
	}

	#decodeLength(model: LengthModel, positionState: number): number {
		if (this.#bit(model.choice, 0) === 0) return this.#tree(model.low, positionState << 3, 3);
		if (this.#bit(model.choice, 1) === 0) return 8 + this.#tree(model.middle, positionState << 3, 3);
		return 16 + this.#tree(model.high, 0, 8);
	}

	#decodeDistance(length: number): number {
		const slot = this.#tree(this.#slot, Math.min(length, LENGTH_CLASSES - 1) << SLOT_BITS, SLOT_BITS);
		if (slot < FIRST_SLOT_WITH_FOOTER) return slot;
		const directBits = (slot >> 1) - 1;
		let distance = (2 | (slot & 1)) * 2 ** directBits;
		if (slot < FIRST_SLOT_WITH_DIRECT_BITS)
			return distance + this.#reverseTree(this.#special, distance - slot, directBits);
		for (let i = directBits - ALIGN_BITS; i > 0; i--) {
			this.#range = this.#range >>> 1;
			const bit = this.#code >= this.#range ? 1 : 0;
			if (bit === 1) this.#code -= this.#range;
			distance += bit * 2 ** (i + ALIGN_BITS - 1);
			this.#normalise();
		}
		return distance + this.#reverseTree(this.#align, 0, ALIGN_BITS);
	}

	#tree(model: Uint16Array, base: number, bits: number): number {
		let symbol = 1;
		for (let i = 0; i < bits; i++) symbol = (symbol << 1) | this.#bit(model, base + symbol);
		return symbol - (1 << bits);
	}

	#reverseTree(model: Uint16Array, base: number, bits: number): number {
		let index = 1;
		let symbol = 0;
		for (let i = 0; i < bits; i++) {
			const bit = this.#bit(model, base + index);
			index = (index << 1) | bit;
			symbol |= bit << i;
		}
		return symbol;
	}

	#bit(model: Uint16Array, index: number): 0 | 1 {
		const probability = model[index] ?? 0;
		const bound = (this.#range >>> 11) * probability;
		let bit: 0 | 1;
		if (this.#code < bound) {
			this.#range = bound;
			model[index] = probability + ((2048 - probability) >> 5);
			bit = 0;
		} else {
			this.#range -= bound;
			this.#code -= bound;
			model[index] = probability - (probability >> 5);
			bit = 1;
		}
		if (this.#range < TOP) this.#normalise();
		return bit;
	}

	#normalise(): void {
		if (this.#range >= TOP) return;
		const next = this.#at < this.#inputEnd ? (this.#input[this.#at] ?? 0) : 0;
		this.#at++;
		this.#range = (this.#range << 8) >>> 0;
		this.#code = ((this.#code << 8) | next) >>> 0;
	}
}
