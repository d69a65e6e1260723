import { digestHash } from "./digest-hash.ts";

const KEY_BYTES = 32;
const MIN_CAPACITY = 1024;
/** Slots of the hash table per entry, at least. */
const SPREAD = 2;
const EMPTY = -1;

/** A map whose keys are digests of 32 bytes, by their bytes. Makes no object for a lookup; some 45 bytes an entry, beside the value. */
export class DigestMap<Value> {
	readonly #values: Value[] = [];
	#keys = new Uint8Array(MIN_CAPACITY * KEY_BYTES);
	#slots = new Int32Array(MIN_CAPACITY * SPREAD).fill(EMPTY);

	get size(): number {
		return this.#values.length;
	}

	has(key: Uint8Array): boolean {
		return this.#slots[this.#slotOf(key, 0)] !== EMPTY;
	}

	get(key: Uint8Array): Value | undefined {
		return this.#values[this.#slots[this.#slotOf(key, 0)] ?? EMPTY];
	}

	/** `key` is copied. */
	set(key: Uint8Array, value: Value): void {
		const slot = this.#slotOf(key, 0);
		const known = this.#slots[slot] ?? EMPTY;
		if (known !== EMPTY) {
			this.#values[known] = value;
			return;
		}
		const number = this.#values.push(value) - 1;
		if (number * KEY_BYTES === this.#keys.byteLength) {
			this.#grow();
			this.#put(key, number, this.#slotOf(key, 0));
		} else this.#put(key, number, slot);
	}

	clear(): void {
		this.#values.length = 0;
		this.#keys = new Uint8Array(MIN_CAPACITY * KEY_BYTES);
		this.#slots = new Int32Array(MIN_CAPACITY * SPREAD).fill(EMPTY);
	}

	#put(key: Uint8Array, number: number, slot: number): void {
		this.#keys.set(key, number * KEY_BYTES);
		this.#slots[slot] = number;
	}

	/** Where the key at `at` of the bytes is, or would go. */
	#slotOf(bytes: Uint8Array, at: number): number {
		const mask = this.#slots.length - 1;
		let slot = digestHash(bytes, at) & mask;
		for (;;) {
			const number = this.#slots[slot] ?? EMPTY;
			if (number === EMPTY || this.#isKey(bytes, at, number)) return slot;
			slot = (slot + 1) & mask;
		}
	}

	#isKey(bytes: Uint8Array, at: number, number: number): boolean {
		const keys = this.#keys;
		const start = number * KEY_BYTES;
		for (let i = 0; i < KEY_BYTES; i++) if (keys[start + i] !== bytes[at + i]) return false;
		return true;
	}

	#grow(): void {
		const keys = new Uint8Array(2 * this.#keys.byteLength);
		keys.set(this.#keys);
		this.#keys = keys;
		this.#slots = new Int32Array(2 * this.#slots.length).fill(EMPTY);
		// all but the value that is being added
		for (let number = 0; number < this.#values.length - 1; number++)
			this.#slots[this.#slotOf(keys, number * KEY_BYTES)] = number;
	}
}
