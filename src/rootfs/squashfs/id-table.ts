import { beyondLimit } from "../limits.ts";
import { MAX_IDS } from "./limits.ts";

/** User and group ids of the image; inodes name them by index (9). */
export class IdTable {
	readonly #indexes = new Map<number, number>();

	get count(): number {
		return this.#indexes.size;
	}

	/** Throws `Oci2isoError` TOO_MANY_IDS at the 65 536th different id. */
	indexOf(id: number): number {
		const known = this.#indexes.get(id);
		if (known !== undefined) return known;
		const index = this.#indexes.size;
		if (index === MAX_IDS)
			throw beyondLimit(
				"TOO_MANY_IDS",
				`the image has more than ${MAX_IDS} different user and group ids`,
				undefined,
				`at most ${MAX_IDS}, which is what squashfs can count`,
			);
		this.#indexes.set(id, index);
		return index;
	}

	/** Four bytes per id, in index order. */
	encode(): Buffer {
		const bytes = Buffer.alloc(4 * this.#indexes.size);
		for (const [id, index] of this.#indexes) bytes.writeUInt32LE(id, 4 * index);
		return bytes;
	}
}
