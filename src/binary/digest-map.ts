import { DigestNumbers } from "./digest-numbers.ts";

/** A map whose keys are digests of 32 bytes, by their bytes. Makes no object for a lookup; some 45 bytes an entry, beside the value. */
export class DigestMap<Value> {
	readonly #values: Value[] = [];
	#table = new DigestNumbers();

	get size(): number {
		return this.#values.length;
	}

	has(key: Uint8Array): boolean {
		return this.#table.find(key) >= 0;
	}

	get(key: Uint8Array): Value | undefined {
		return this.#values[this.#table.find(key)];
	}

	/** `key` is copied. */
	set(key: Uint8Array, value: Value): void {
		const known = this.#table.find(key);
		this.#values[known >= 0 ? known : this.#table.add(key)] = value;
	}

	clear(): void {
		this.#values.length = 0;
		this.#table = new DigestNumbers();
	}
}
