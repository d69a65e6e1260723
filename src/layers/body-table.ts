import type { BodyId } from "../tree/inode.ts";

/** What is known of contents, by the entry that has them. */
export class BodyTable<Value> {
	readonly #layers: (Value | undefined)[][] = [];

	set({ layer, entry }: BodyId, value: Value): void {
		this.#layers[layer] ??= [];
		this.#layers[layer][entry] = value;
	}

	get({ layer, entry }: BodyId): Value | undefined {
		return this.#layers[layer]?.[entry];
	}

	delete({ layer, entry }: BodyId): void {
		const entries = this.#layers[layer];
		if (entries !== undefined) entries[entry] = undefined;
	}

	clear(): void {
		this.#layers.length = 0;
	}
}
