/** Keeps the values used last, at most `capacity` of them. */
export class Recent<Key, Value> {
	readonly #capacity: number;
	readonly #values = new Map<Key, Value>();

	constructor(capacity: number) {
		this.#capacity = capacity;
	}

	get(key: Key): Value | undefined {
		const value = this.#values.get(key);
		if (value === undefined) return undefined;
		this.#values.delete(key);
		this.#values.set(key, value);
		return value;
	}

	set(key: Key, value: Value): void {
		this.#values.set(key, value);
		if (this.#values.size <= this.#capacity) return;
		const [oldest] = this.#values.keys();
		if (oldest !== undefined) this.#values.delete(oldest);
	}
}
