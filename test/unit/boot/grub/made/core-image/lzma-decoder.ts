/** A raw LZMA stream read as GRUB's decoder reads it, written from the LZMA specification; shares nothing with the encoder. */

const POS_MASK = 3;

interface LengthTables {
	choice: Uint16Array;
	low: Uint16Array[];
	middle: Uint16Array[];
	high: Uint16Array;
}

const table = (count: number): Uint16Array => new Uint16Array(count).fill(1024);
const lengthTables = (): LengthTables => ({
	choice: table(2),
	low: [0, 1, 2, 3].map(() => table(8)),
	middle: [0, 1, 2, 3].map(() => table(8)),
	high: table(256),
});

class RangeDecoder {
	readonly #stream: Uint8Array;
	#at = 0;
	#range = 0xffffffff;
	#code = 0;

	constructor(stream: Uint8Array) {
		this.#stream = stream;
		if (this.#byte() !== 0) throw new Error("the first byte is not 0");
		for (let i = 0; i < 4; i++) this.#code = ((this.#code << 8) | this.#byte()) >>> 0;
	}

	get bytesRead(): number {
		return this.#at;
	}

	#byte(): number {
		const byte = this.#stream[this.#at++];
		if (byte === undefined) throw new Error("the stream is too short");
		return byte;
	}

	#normalize(): void {
		if (this.#range >= 2 ** 24) return;
		this.#range = (this.#range << 8) >>> 0;
		this.#code = ((this.#code << 8) | this.#byte()) >>> 0;
	}

	bit(probabilities: Uint16Array, index: number): number {
		const p = probabilities[index];
		if (p === undefined) throw new Error(`no probability ${index}`);
		const bound = (this.#range >>> 11) * p;
		const bit = this.#code < bound ? 0 : 1;
		if (bit === 0) {
			this.#range = bound;
			probabilities[index] = p + ((2048 - p) >> 5);
		} else {
			this.#range -= bound;
			this.#code -= bound;
			probabilities[index] = p - (p >> 5);
		}
		this.#normalize();
		return bit;
	}

	direct(count: number): number {
		let value = 0;
		for (let i = 0; i < count; i++) {
			this.#range >>>= 1;
			const bit = this.#code >= this.#range ? 1 : 0;
			if (bit === 1) this.#code -= this.#range;
			this.#normalize();
			value = value * 2 + bit;
		}
		return value;
	}

	tree(probabilities: Uint16Array, count: number): number {
		let node = 1;
		for (let i = 0; i < count; i++) node = node * 2 + this.bit(probabilities, node);
		return node - 2 ** count;
	}

	reverseTree(probabilities: Uint16Array, base: number, count: number): number {
		let node = 1;
		let value = 0;
		for (let i = 0; i < count; i++) {
			const bit = this.bit(probabilities, base + node);
			node = node * 2 + bit;
			value += bit * 2 ** i;
		}
		return value;
	}

	length(tables: LengthTables, position: number): number {
		if (this.bit(tables.choice, 0) === 0) return 2 + this.tree(tables.low[position & POS_MASK] ?? table(0), 3);
		if (this.bit(tables.choice, 1) === 0) return 10 + this.tree(tables.middle[position & POS_MASK] ?? table(0), 3);
		return 18 + this.tree(tables.high, 8);
	}
}

/** The `byteLength` bytes that `stream` stands for (lc = 3, lp = 0, pb = 2). Throws where it is not exactly those. */
export function decodeLzma(stream: Uint8Array, byteLength: number): { bytes: Uint8Array; farthest: number } {
	const decoder = new RangeDecoder(stream);
	const out = new Uint8Array(byteLength);
	const isMatch = table(48);
	const [isRep, isRep0, isRep1, isRep2] = [table(12), table(12), table(12), table(12)];
	const isRep0Long = table(48);
	const literals = table(0x300 * 8);
	const slots = [0, 1, 2, 3].map(() => table(64));
	const special = table(128);
	const align = table(16);
	const matchLength = lengthTables();
	const repLength = lengthTables();
	let [rep0, rep1, rep2, rep3] = [0, 0, 0, 0];
	let [state, at, farthest] = [0, 0, 0];

	while (at < byteLength) {
		const context = state * 4 + (at & POS_MASK);
		if (decoder.bit(isMatch, context) === 0) {
			const probabilities = literals.subarray(((out[at - 1] ?? 0) >> 5) * 0x300);
			let symbol = 1;
			if (state >= 7) {
				let matched = out[at - rep0 - 1] ?? 0;
				while (symbol < 256) {
					const expected = (matched >> 7) & 1;
					matched <<= 1;
					const bit = decoder.bit(probabilities, (1 + expected) * 256 + symbol);
					symbol = symbol * 2 + bit;
					if (bit !== expected) break;
				}
			}
			while (symbol < 256) symbol = symbol * 2 + decoder.bit(probabilities, symbol);
			out[at++] = symbol;
			state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
			continue;
		}
		let length: number;
		if (decoder.bit(isRep, state) === 1) {
			if (decoder.bit(isRep0, state) === 0) {
				if (decoder.bit(isRep0Long, context) === 0) {
					if (rep0 >= at) throw new Error(`a copy from before the start at ${at}`);
					out[at] = out[at - rep0 - 1] ?? 0;
					at++;
					state = state < 7 ? 9 : 11;
					continue;
				}
			} else if (decoder.bit(isRep1, state) === 0) {
				[rep0, rep1] = [rep1, rep0];
			} else if (decoder.bit(isRep2, state) === 0) {
				[rep0, rep1, rep2] = [rep2, rep0, rep1];
			} else {
				[rep0, rep1, rep2, rep3] = [rep3, rep0, rep1, rep2];
			}
			length = decoder.length(repLength, at);
			state = state < 7 ? 8 : 11;
		} else {
			[rep1, rep2, rep3] = [rep0, rep1, rep2];
			length = decoder.length(matchLength, at);
			state = state < 7 ? 7 : 10;
			const slot = decoder.tree(slots[Math.min(length - 2, 3)] ?? table(0), 6);
			rep0 = slot;
			if (slot >= 4) {
				const bits = (slot >> 1) - 1;
				rep0 = (2 + (slot & 1)) * 2 ** bits;
				if (slot < 14) rep0 += decoder.reverseTree(special, rep0 - slot, bits);
				else rep0 += decoder.direct(bits - 4) * 16 + decoder.reverseTree(align, 0, 4);
			}
		}
		if (rep0 >= at) throw new Error(`a copy from before the start at ${at}`);
		if (at + length > byteLength) throw new Error("a copy beyond the end");
		farthest = Math.max(farthest, rep0 + 1);
		for (let i = 0; i < length; i++, at++) out[at] = out[at - rep0 - 1] ?? 0;
	}
	if (decoder.bytesRead !== stream.byteLength) {
		throw new Error(`${decoder.bytesRead} of ${stream.byteLength} bytes were read`);
	}
	return { bytes: out, farthest };
}
