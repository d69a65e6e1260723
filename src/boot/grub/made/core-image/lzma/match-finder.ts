import { MAX_MATCH_BYTES } from "./model.ts";

/** As the dictionary that grub2-mkimage compresses with. */
const MAX_DISTANCE = 1 << 16;
/** One more than the farthest: positions are remembered for this many bytes. */
const WINDOW_BYTES = MAX_DISTANCE + 1;
/** Copies are compared up to this length; whoever finds one this long takes it and looks no further. */
export const LONG_BYTES = 32;
/** Copies that are compared at one position. */
const MAX_COMPARISONS = 32;
/** Fewer bytes than this are not looked up. */
const HASHED_BYTES = 4;
const PAIR_HASH_BITS = 10;
const HASH_BITS = 16;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
	let value = byte;
	for (let i = 0; i < 8; i++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
	return value;
});

/**
 * Finds earlier copies of what follows a position, positions taken in order, as the LZMA SDK's binary-tree finder for four bytes (bt4) does: the last
 * positions with the same two and three bytes, then a binary search tree for each hash of four bytes, the newest position at its root, smaller
 * contents left and greater ones right.
 */
export class MatchFinder {
	/** Of the last `find`: copies, each longer than the one before, by length and by distance (from 0: the previous byte). */
	readonly lengths = new Uint16Array(LONG_BYTES);
	readonly distances = new Uint32Array(LONG_BYTES);
	count = 0;

	readonly #bytes: Uint8Array;
	#position = 0;
	/** Where bytes were last seen, by hash: the position + WINDOW_BYTES, so that 0 is too far away from anywhere. */
	readonly #lastPair = new Uint32Array(1 << PAIR_HASH_BITS);
	readonly #lastTriple = new Uint32Array(1 << HASH_BITS);
	readonly #roots = new Uint32Array(1 << HASH_BITS);
	/** The smaller and the greater child of each position, in the same form, by the position modulo WINDOW_BYTES. */
	readonly #children = new Uint32Array(2 * WINDOW_BYTES);
	#pairHash = 0;
	#tripleHash = 0;
	#rootHash = 0;

	constructor(bytes: Uint8Array) {
		this.#bytes = bytes;
	}

	/** The next position that is looked up. */
	get position(): number {
		return this.#position;
	}

	/** Looks up the next position. Length of the longest copy, at most 273, or 0. Fills `lengths` and `distances`. */
	find(): number {
		const bytes = this.#bytes;
		const at = this.#position;
		const lengthLimit = Math.min(LONG_BYTES, bytes.byteLength - at);
		this.count = 0;
		if (lengthLimit < HASHED_BYTES) {
			this.#position++;
			return 0;
		}
		this.#hash(at);
		const newest = at + WINDOW_BYTES;
		const pairBack = newest - (this.#lastPair[this.#pairHash] ?? 0);
		const tripleBack = newest - (this.#lastTriple[this.#tripleHash] ?? 0);
		// With the first bytes equal, equal hashes of two or three bytes are equal bytes.
		if (pairBack < WINDOW_BYTES && bytes[at - pairBack] === bytes[at]) this.#add(2, pairBack - 1);
		if (tripleBack !== pairBack && tripleBack < WINDOW_BYTES && bytes[at - tripleBack] === bytes[at]) {
			this.#add(3, tripleBack - 1);
		}
		let longest = HASHED_BYTES - 1;
		if (this.count > 0) {
			const last = this.count - 1;
			const length = sameUntil(bytes, at, this.distances[last] ?? 0, this.lengths[last] ?? 0, lengthLimit);
			this.lengths[last] = length;
			longest = Math.max(longest, length);
		}
		this.#insert(lengthLimit, longest);
		if (this.count === 0) return 0;
		const last = this.count - 1;
		let length = this.lengths[last] ?? 0;
		if (length === LONG_BYTES) {
			const limit = Math.min(MAX_MATCH_BYTES, bytes.byteLength - at);
			length = sameUntil(bytes, at, this.distances[last] ?? 0, length, limit);
		}
		return length;
	}

	/** Makes positions known without asking for copies of them. */
	skip(count: number): void {
		for (let i = 0; i < count; i++) {
			const lengthLimit = Math.min(LONG_BYTES, this.#bytes.byteLength - this.#position);
			if (lengthLimit < HASHED_BYTES) {
				this.#position++;
			} else {
				this.#hash(this.#position);
				this.#insert(lengthLimit, lengthLimit);
			}
		}
	}

	#add(length: number, distance: number): void {
		this.lengths[this.count] = length;
		this.distances[this.count++] = distance;
	}

	#hash(at: number): void {
		const bytes = this.#bytes;
		const pair = (CRC_TABLE[bytes[at] ?? 0] ?? 0) ^ (bytes[at + 1] ?? 0);
		const triple = pair ^ ((bytes[at + 2] ?? 0) << 8);
		this.#pairHash = pair & ((1 << PAIR_HASH_BITS) - 1);
		this.#tripleHash = triple & ((1 << HASH_BITS) - 1);
		this.#rootHash = (triple ^ ((CRC_TABLE[bytes[at + 3] ?? 0] ?? 0) << 5)) & ((1 << HASH_BITS) - 1);
	}

	/**
	 * Makes the position the root of its tree: the tree is split on the way down to where the position's content belongs. Adds what it meets that is longer
	 * than `longest`; a copy of `lengthLimit` bytes gives way to the position.
	 */
	#insert(lengthLimit: number, longest: number): void {
		const bytes = this.#bytes;
		const children = this.#children;
		const at = this.#position++;
		const newest = at + WINDOW_BYTES;
		let candidate = this.#roots[this.#rootHash] ?? 0;
		this.#lastPair[this.#pairHash] = newest;
		this.#lastTriple[this.#tripleHash] = newest;
		this.#roots[this.#rootHash] = newest;

		let smaller = 2 * (at % WINDOW_BYTES);
		let greater = smaller + 1;
		let sameAsSmaller = 0;
		let sameAsGreater = 0;
		for (let comparisons = 0; ; comparisons++) {
			const back = newest - candidate;
			if (comparisons === MAX_COMPARISONS || back >= WINDOW_BYTES) {
				children[smaller] = 0;
				children[greater] = 0;
				return;
			}
			const node = 2 * (candidate % WINDOW_BYTES);
			const source = at - back;
			let length = Math.min(sameAsSmaller, sameAsGreater);
			while (length < lengthLimit && bytes[source + length] === bytes[at + length]) length++;
			if (length > longest) {
				longest = length;
				this.#add(length, back - 1);
			}
			if (length === lengthLimit) {
				children[smaller] = children[node] ?? 0;
				children[greater] = children[node + 1] ?? 0;
				return;
			}
			if ((bytes[source + length] ?? 0) < (bytes[at + length] ?? 0)) {
				children[smaller] = candidate;
				smaller = node + 1;
				candidate = children[smaller] ?? 0;
				sameAsSmaller = length;
			} else {
				children[greater] = candidate;
				greater = node;
				candidate = children[greater] ?? 0;
				sameAsGreater = length;
			}
		}
	}
}

/** The first offset from `from` on, below `limit`, where the bytes at `position` are not those at `distance` before; `limit` where all are. */
export function sameUntil(bytes: Uint8Array, position: number, distance: number, from: number, limit: number): number {
	const source = position - distance - 1;
	let offset = from;
	while (offset < limit && bytes[source + offset] === bytes[position + offset]) offset++;
	return offset;
}
