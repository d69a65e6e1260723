import { requireAtMost } from "../tree/image-tree.ts";
import type { BodyId, FileInode } from "../tree/inode.ts";

/** Where the content of each regular-file entry went while its layer passed. `Stored` is the squashfs writer's handle. */
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

	/** Keeps a copy in memory of what the ISO needs and the squashfs leaves out. */
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

/** Reads a whole file, refusing one beyond `maxBytes`. */
export async function readWhole(
	file: FileInode,
	chunks: AsyncIterable<Uint8Array>,
	maxBytes: number,
): Promise<Uint8Array> {
	requireAtMost(file, maxBytes);
	const bytes = Buffer.alloc(file.byteLength);
	let length = 0;
	for await (const chunk of chunks) {
		bytes.set(chunk, length);
		length += chunk.byteLength;
	}
	return bytes;
}
