/** A small generator of numbers (mulberry32): the same seed, the same numbers on every machine. */
export class Random {
	#state: number;

	constructor(seed: number) {
		this.#state = seed >>> 0;
	}

	/** A whole number from 0 to `limit` - 1. */
	below(limit: number): number {
		this.#state = (this.#state + 0x6d2b79f5) >>> 0;
		let t = this.#state;
		t = Math.imul(t ^ (t >>> 15), t | 1);
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) % limit;
	}

	pick<Item>(items: readonly Item[]): Item | undefined {
		return items.length === 0 ? undefined : items[this.below(items.length)];
	}
}
