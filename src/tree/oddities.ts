import { type ByteString, displayPath } from "../binary/byte-string.ts";

const MAX_NAMED = 50;

/** Counts paths of one kind, and names the first of them in a sentence. */
export class Oddity {
	readonly #sentence: (count: number, paths: string) => string;
	#count = 0;
	readonly #named: string[] = [];

	constructor(sentence: (count: number, paths: string) => string) {
		this.#sentence = sentence;
	}

	/** `more` is said after the path. */
	add(path: ByteString, more = ""): void {
		if (this.#count++ < MAX_NAMED) this.#named.push(displayPath(path) + more);
	}

	/** Nothing where there was no such path. */
	get notes(): string[] {
		if (this.#count === 0) return [];
		const others = this.#count - this.#named.length;
		return [this.#sentence(this.#count, this.#named.join(", ") + (others > 0 ? ` and ${others} more` : ""))];
	}
}
