import { MAX_MATCH_BYTES } from "./model.ts";

/** As the dictionary that grub2-mkimage compresses with. */
const MAX_DISTANCE = 1 << 16;
/** Candidates that are compared at one position. */
const MAX_CANDIDATES = 128;
const HASH_BITS = 14;

/** Finds earlier copies of what follows a position. Positions are given to it in order. */
export class MatchFinder {
	readonly #bytes: Uint8Array;
	/** By their first two bytes, and by a hash of three: 1 + the last position, or 0. */
	readonly #lastPair = new Uint32Array(1 << 16);
	readonly #lastTriple = new Uint32Array(1 << HASH_BITS);
	/** 1 + the position before with the same hash of three bytes. */
	readonly #before: Uint32Array;
	/** `distances[length]` for lengths 2 to what `find` returned: the least distance of a copy that long, from 0. */
	readonly distances = new Uint32Array(MAX_MATCH_BYTES + 1);

	constructor(bytes: Uint8Array) {
		this.#bytes = bytes;
		this.#before = new Uint32Array(bytes.byteLength);
	}

	/** Length of the longest copy, at most 273, or 0. Fills `distances`. */
	find(position: number): number {
		const { pair, triple } = this.#hashes(position);
		let longest = this.#consider(position, this.#lastPair[pair] ?? 0, 1);
		let candidate = this.#lastTriple[triple] ?? 0;
		for (let i = 0; i < MAX_CANDIDATES && candidate > 0 && longest < MAX_MATCH_BYTES; i++) {
			if (position - candidate >= MAX_DISTANCE) break;
			longest = this.#consider(position, candidate, longest);
			candidate = this.#before[candidate - 1] ?? 0;
		}
		this.skip(position);
		return longest > 1 ? longest : 0;
	}

	/** Makes a position known without asking for copies of it. */
	skip(position: number): void {
		if (position + 2 >= this.#bytes.byteLength) return;
		const { pair, triple } = this.#hashes(position);
		this.#before[position] = this.#lastTriple[triple] ?? 0;
		this.#lastTriple[triple] = position + 1;
		this.#lastPair[pair] = position + 1;
	}

	#consider(position: number, candidate: number, longest: number): number {
		const distance = position - candidate;
		if (candidate === 0 || distance >= MAX_DISTANCE) return longest;
		const length = copyLength(this.#bytes, position, distance);
		if (length <= longest) return longest;
		this.distances.fill(distance, longest + 1, length + 1);
		return length;
	}

	#hashes(position: number): { pair: number; triple: number } {
		const pair = (this.#bytes[position] ?? 0) | ((this.#bytes[position + 1] ?? 0) << 8);
		const triple = Math.imul(pair | ((this.#bytes[position + 2] ?? 0) << 16), 0x9e3779b1) >>> (32 - HASH_BITS);
		return { pair, triple };
	}
}

/** How many bytes at `position`, at most 273, are those at `distance` (from 0: the previous byte) before. */
export function copyLength(bytes: Uint8Array, position: number, distance: number): number {
	const source = position - distance - 1;
	if (source < 0) return 0;
	const limit = Math.min(MAX_MATCH_BYTES, bytes.byteLength - position);
	let length = 0;
	while (length < limit && bytes[source + length] === bytes[position + length]) length++;
	return length;
}
