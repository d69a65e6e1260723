import type { BodyId } from "../tree/inode.ts";

/** Where the content of each regular-file entry went while its layer passed. `Stored` is the writer's handle. */
export class BodyStore<Stored> {
	readonly #stored: Stored[][];
	readonly #aside: Map<number, Uint8Array>[];

	constructor(layerCount: number) {
		this.#stored = Array.from({ length: layerCount }, () => []);
		this.#aside = Array.from({ length: layerCount }, () => new Map());
	}

	setStored({ layer, entry }: BodyId, stored: Stored): void {
		const ofLayer = this.#stored[layer];
		if (ofLayer !== undefined) ofLayer[entry] = stored;
	}

	/** Keeps a copy in memory of what the ISO needs and the root file system leaves out. */
	setAside({ layer, entry }: BodyId, bytes: Uint8Array): void {
		this.#aside[layer]?.set(entry, bytes);
	}

	stored({ layer, entry }: BodyId): Stored | undefined {
		return this.#stored[layer]?.[entry];
	}

	aside({ layer, entry }: BodyId): Uint8Array | undefined {
		return this.#aside[layer]?.get(entry);
	}
}
