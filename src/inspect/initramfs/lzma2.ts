import { MiB } from "../../binary/units.ts";

const MAX_CHUNK_BYTES = 2 * MiB;
const TOP = 2 ** 24;
const MATCH_MIN = 2;
const STATES = 12;
const POSITION_STATES = 16;
const END_POSITION_MODEL = 14;
const FULL_DISTANCES = 128;
const ALIGN_BITS = 4;

/** What is wrong with LZMA2 data. */
export class Lzma2Fault extends Error {}

/** Probabilities of match or repetition lengths. */
class LengthModel {
	readonly choice = probabilities(2);
	readonly low = probabilities(POSITION_STATES << 3);
	readonly middle = probabilities(POSITION_STATES << 3);
	readonly high = probabilities(256);
}

function probabilities(count: number): Uint16Array {
	return new Uint16Array(count).fill(1024);
}

/**
 * Decodes raw LZMA2 data, as .xz files hold it (The .xz file format, 5.3.1; LZMA SDK, lzma-specification). `emit` gets each chunk's
 * bytes, valid during the call only.
 *
 * Invariants: `#buffer[0..#position)` is the newest output, at least a dictionary of it once there was that much; the range decoder reads
 * `#input` from `#at` and never beyond `#inputEnd`.
 */
export class Lzma2Decoder {
	readonly #dictionaryBytes: number;
	#buffer: Buffer;
	#position = 0;
	/** Output since the last dictionary reset that a distance may reach. */
	#reach = 0;
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

	constructor(dictionaryBytes: number) {
		this.#dictionaryBytes = dictionaryBytes;
		this.#buffer = Buffer.allocUnsafeSlow(dictionaryBytes + Math.max(dictionaryBytes, 2 * MAX_CHUNK_BYTES));
	}

	/** Decodes from `start` to the end marker and returns the offset behind it. Throws `Lzma2Fault`. */
	decode(input: Uint8Array, start: number, emit: (bytes: Uint8Array) => void): number {
		this.#input = input;
		let at = start;
		let needsProperties = true;
		let needsDictionary = true;
		const byte = (offset: number): number => {
			const value = input[offset];
			if (value === undefined) throw new Lzma2Fault("it ends within a chunk");
			return value;
		};
		for (;;) {
			const control = byte(at);
			if (control === 0) return at + 1;
			if (control === 1 || control >= 0xe0) {
				this.#reach = 0;
				needsDictionary = false;
			} else if (needsDictionary) throw new Lzma2Fault("its first chunk needs a dictionary");
			const from = this.#room();
			if (control < 0x80) {
				if (control > 2) throw new Lzma2Fault(`control byte ${control} is reserved`);
				const length = byte(at + 1) * 256 + byte(at + 2) + 1;
				byte(at + 2 + length);
				this.#buffer.set(input.subarray(at + 3, at + 3 + length), from);
				this.#position = from + length;
				this.#reach += length;
				at += 3 + length;
			} else {
				const length = ((control & 0x1f) << 16) + byte(at + 1) * 256 + byte(at + 2) + 1;
				const packed = byte(at + 3) * 256 + byte(at + 4) + 1;
				at += 5;
				if (control >= 0xc0) {
					this.#setProperties(byte(at++));
					needsProperties = false;
				} else if (needsProperties) throw new Lzma2Fault("its first LZMA chunk has no properties");
				if (control >= 0xa0) this.#resetState();
				byte(at + packed - 1);
				this.#lzma(at, packed, from + length);
				at += packed;
			}
			emit(this.#buffer.subarray(from, this.#position));
		}
	}

	/** Makes room for a chunk behind the dictionary and returns where it starts. */
	#room(): number {
		if (this.#position + MAX_CHUNK_BYTES > this.#buffer.byteLength) {
			this.#buffer.copyWithin(0, this.#position - this.#dictionaryBytes, this.#position);
			this.#position = this.#dictionaryBytes;
		}
		return this.#position;
	}

	#setProperties(properties: number): void {
		if (properties >= 9 * 5 * 5) throw new Lzma2Fault("its properties are out of range");
		const lc = properties % 9;
		const lp = Math.floor(properties / 9) % 5;
		if (lc + lp > 4) throw new Lzma2Fault("its properties are out of range");
		this.#lc = lc;
		this.#lpMask = (1 << lp) - 1;
		this.#pbMask = (1 << Math.floor(properties / 45)) - 1;
		this.#literal = probabilities(0x300 << (lc + lp));
	}

	#resetState(): void {
		this.#state = 0;
		this.#reps.fill(0);
		this.#literal.fill(1024);
		this.#isMatch = probabilities(STATES * POSITION_STATES);
		this.#isRep = probabilities(STATES);
		this.#isRepG0 = probabilities(STATES);
		this.#isRepG1 = probabilities(STATES);
		this.#isRepG2 = probabilities(STATES);
		this.#isRep0Long = probabilities(STATES * POSITION_STATES);
		this.#slot = probabilities(4 * 64);
		this.#special = probabilities(FULL_DISTANCES - END_POSITION_MODEL + 1);
		this.#align = probabilities(1 << ALIGN_BITS);
		this.#length = new LengthModel();
		this.#repLength = new LengthModel();
	}

	#lzma(start: number, packed: number, end: number): void {
		const input = this.#input;
		if (packed < 5) throw new Lzma2Fault("an LZMA chunk is too short");
		this.#inputEnd = start + packed;
		this.#at = start + 5;
		this.#range = 0xffffffff;
		this.#code =
			(((input[start + 1] ?? 0) << 24) |
				((input[start + 2] ?? 0) << 16) |
				((input[start + 3] ?? 0) << 8) |
				(input[start + 4] ?? 0)) >>>
			0;
		const buffer = this.#buffer;
		while (this.#position < end) {
			const positionState = this.#reach & this.#pbMask;
			const state = this.#state;
			if (this.#bit(this.#isMatch, state * POSITION_STATES + positionState) === 0) {
				buffer[this.#position] = this.#decodeLiteral();
				this.#position++;
				this.#reach++;
				this.#state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
				continue;
			}
			const length = this.#matchLength(state, positionState);
			const distance = this.#reps[0] + 1;
			if (length === 0) continue;
			if (distance > this.#reach || distance > this.#position || length > end - this.#position)
				throw new Lzma2Fault("a match reaches too far");
			const to = this.#position + length;
			for (let at = this.#position; at < to; at++) buffer[at] = buffer[at - distance] ?? 0;
			this.#position = to;
			this.#reach += length;
		}
	}

	/** The length of a match, its distance in `#reps[0]`. */
	#matchLength(state: number, positionState: number): number {
		const reps = this.#reps;
		if (this.#bit(this.#isRep, state) === 0) {
			reps[3] = reps[2];
			reps[2] = reps[1];
			reps[1] = reps[0];
			const length = this.#decodeLength(this.#length, positionState);
			this.#state = state < 7 ? 7 : 10;
			reps[0] = this.#decodeDistance(length);
			return length + MATCH_MIN;
		}
		if (this.#bit(this.#isRepG0, state) === 0) {
			if (this.#bit(this.#isRep0Long, state * POSITION_STATES + positionState) === 0) {
				this.#state = state < 7 ? 9 : 11;
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
		this.#state = state < 7 ? 8 : 11;
		return this.#decodeLength(this.#repLength, positionState) + MATCH_MIN;
	}

	#decodeLiteral(): number {
		const previous = this.#reach === 0 ? 0 : (this.#buffer[this.#position - 1] ?? 0);
		const model = 0x300 * (((this.#reach & this.#lpMask) << this.#lc) + (previous >> (8 - this.#lc)));
		const literal = this.#literal;
		let symbol = 1;
		if (this.#state >= 7) {
			let matched = this.#buffer[this.#position - this.#reps[0] - 1] ?? 0;
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
		const slot = this.#tree(this.#slot, Math.min(length, 3) * 64, 6);
		if (slot < 4) return slot;
		const directBits = (slot >> 1) - 1;
		let distance = (2 | (slot & 1)) * 2 ** directBits;
		if (slot < END_POSITION_MODEL) return distance + this.#reverseTree(this.#special, distance - slot, directBits);
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
		// A decoder may look at a few bytes behind the last symbol; what is there does not matter.
		const next = this.#at < this.#inputEnd ? (this.#input[this.#at] ?? 0) : 0;
		this.#at++;
		this.#range = (this.#range << 8) >>> 0;
		this.#code = ((this.#code << 8) | next) >>> 0;
	}
}
