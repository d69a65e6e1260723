import type { BodyId } from "../tree/inode.ts";

/** What is known of contents, by the entry that has them. */
export class BodyTable<Value> {
	readonly #layers: Value[][] = [];

	set({ layer, entry }: BodyId, value: Value): void {
		this.#layers[layer] ??= [];
		this.#layers[layer][entry] = value;
	}

	get({ layer, entry }: BodyId): Value | undefined {
		return this.#layers[layer]?.[entry];
	}

	clear(): void {
		this.#layers.length = 0;
	}
}
