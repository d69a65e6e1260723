import { digestHash } from "./digest-hash.ts";

/** Of a SHA-256. */
export const DIGEST_BYTES = 32;
const MIN_CAPACITY = 1024;
/** Slots of the hash table per key, at least. */
const SPREAD = 2;
const EMPTY = -1;

/** Numbers digests of 32 bytes in the order of `add`. Makes no object for a lookup; some 45 bytes a key. */
export class DigestNumbers {
	#keys = Buffer.alloc(MIN_CAPACITY * DIGEST_BYTES);
	#slots = new Int32Array(MIN_CAPACITY * SPREAD).fill(EMPTY);
	#count = 0;

	get count(): number {
		return this.#count;
	}

	/** The key's number, or -1. */
	find(key: Uint8Array): number {
		return this.#slots[this.#slotOf(key)] ?? EMPTY;
	}

	/** Copies the key and returns its number. Where it is in the table already, `find` gives the new number from now on. */
	add(key: Uint8Array): number {
		if (this.#count * DIGEST_BYTES === this.#keys.byteLength) this.#grow();
		const number = this.#count++;
		this.#keys.set(key, number * DIGEST_BYTES);
		this.#slots[this.#slotOf(key)] = number;
		return number;
	}

	/** A view, valid until the next `add`. */
	key(number: number): Buffer {
		return this.#keys.subarray(number * DIGEST_BYTES, (number + 1) * DIGEST_BYTES);
	}

	/** Where the key is, or would go. */
	#slotOf(key: Uint8Array): number {
		const mask = this.#slots.length - 1;
		let slot = digestHash(key) & mask;
		for (;;) {
			const number = this.#slots[slot] ?? EMPTY;
			if (number === EMPTY || this.#isKey(key, number)) return slot;
			slot = (slot + 1) & mask;
		}
	}

	#isKey(key: Uint8Array, number: number): boolean {
		const start = number * DIGEST_BYTES;
		for (let i = 0; i < DIGEST_BYTES; i++) if (this.#keys[start + i] !== key[i]) return false;
		return true;
	}

	#grow(): void {
		const keys = Buffer.alloc(2 * this.#keys.byteLength);
		keys.set(this.#keys);
		this.#keys = keys;
		this.#slots = new Int32Array(2 * this.#slots.length).fill(EMPTY);
		for (let number = 0; number < this.#count; number++) this.#slots[this.#slotOf(this.key(number))] = number;
	}
}
