import { digestHash } from "../binary/digest-hash.ts";
import { HASH_BYTES } from "./file-recipe.ts";
import type { ImageBlock } from "./stored-data.ts";

const MIN_CAPACITY = 1024;
/** Slots of the hash table per block, at least. */
const SPREAD = 2;
const EMPTY = -1;
const REUSED = 2 ** 31;

/** Blocks of the image by a SHA-256 that names their content, and where they were stored; some 60 bytes each. A block's id is its number in the order of `add`. */
export class BlockTable {
	#hashes = Buffer.alloc(MIN_CAPACITY * HASH_BYTES);
	#positions = new Float64Array(MIN_CAPACITY);
	#sizes = new Uint32Array(MIN_CAPACITY);
	#rawBytes = new Uint32Array(MIN_CAPACITY);
	#slots = new Int32Array(MIN_CAPACITY * SPREAD).fill(EMPTY);
	#count = 0;

	get count(): number {
		return this.#count;
	}

	/** The block's id, or -1. */
	find(hash: Uint8Array): number {
		return this.#slots[this.#slotOf(hash)] ?? EMPTY;
	}

	/** Where `hash` is in the table already, `find` gives the new block from now on. */
	add(hash: Uint8Array, rawBytes: number): number {
		if (this.#count === this.#positions.length) this.#grow();
		const id = this.#count++;
		this.#hashes.set(hash, id * HASH_BYTES);
		this.#rawBytes[id] = rawBytes;
		this.#slots[this.#slotOf(hash)] = id;
		return id;
	}

	/** A view, valid until the next `add`. */
	hash(id: number): Buffer {
		return this.#hashes.subarray(id * HASH_BYTES, (id + 1) * HASH_BYTES);
	}

	/** `size` has the "stored as it is" bit; `reused`: it was compressed in an earlier build. */
	setPlace(id: number, position: number, size: number, reused: boolean): void {
		this.#positions[id] = position;
		this.#sizes[id] = reused ? size + REUSED : size;
	}

	/** 0 until it is stored. */
	position(id: number): number {
		return this.#positions[id] ?? 0;
	}

	size(id: number): number {
		return (this.#sizes[id] ?? 0) % REUSED;
	}

	isReused(id: number): boolean {
		return (this.#sizes[id] ?? 0) >= REUSED;
	}

	rawBytes(id: number): number {
		return this.#rawBytes[id] ?? 0;
	}

	/** All of it; the key is a view as `hash` gives it, position and size are 0 until the block is stored. */
	block(id: number): ImageBlock {
		return {
			position: this.position(id),
			size: this.size(id),
			key: this.hash(id),
			rawBytes: this.rawBytes(id),
			reused: this.isReused(id),
		};
	}

	/** Where the hash is, or would go. */
	#slotOf(hash: Uint8Array): number {
		const mask = this.#slots.length - 1;
		let slot = digestHash(hash, 0) & mask;
		for (;;) {
			const id = this.#slots[slot] ?? EMPTY;
			if (id === EMPTY || this.#hashes.compare(hash, 0, HASH_BYTES, id * HASH_BYTES, (id + 1) * HASH_BYTES) === 0)
				return slot;
			slot = (slot + 1) & mask;
		}
	}

	#grow(): void {
		const capacity = 2 * this.#positions.length;
		const hashes = Buffer.alloc(capacity * HASH_BYTES);
		hashes.set(this.#hashes);
		this.#hashes = hashes;
		this.#positions = copied(this.#positions, new Float64Array(capacity));
		this.#sizes = copied(this.#sizes, new Uint32Array(capacity));
		this.#rawBytes = copied(this.#rawBytes, new Uint32Array(capacity));
		this.#slots = new Int32Array(capacity * SPREAD).fill(EMPTY);
		for (let id = 0; id < this.#count; id++) this.#slots[this.#slotOf(this.hash(id))] = id;
	}
}

function copied<Values extends Float64Array | Uint32Array>(from: Values, to: Values): Values {
	to.set(from);
	return to;
}
