import type { ByteString } from "../../binary/byte-string.ts";

/** Something that could not be stored as the image has it: how often, and where for example. */
export interface Loss {
	readonly count: number;
	/** Absolute; the first few in the order of storing. */
	readonly examplePaths: readonly ByteString[];
}

export interface XattrLoss extends Loss {
	/** With its prefix. */
	readonly name: ByteString;
}

const MAX_EXAMPLES = 10;

/** Counts losses without keeping every path. */
export class LossCounter {
	#count = 0;
	readonly #examplePaths: ByteString[] = [];

	add(path: () => ByteString): void {
		this.#count++;
		if (this.#examplePaths.length < MAX_EXAMPLES) this.#examplePaths.push(path());
	}

	get loss(): Loss {
		return { count: this.#count, examplePaths: this.#examplePaths };
	}
}
