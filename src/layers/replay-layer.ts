import { inTurns, type Steps, Turns } from "../binary/turns.ts";
import type { BlockStore } from "../cache/block-store.ts";
import type { LayerIndex } from "../cache/layer-index-format.ts";
import { LayerIndexWriter } from "../cache/layer-index-writer.ts";
import type { DataWriter } from "../content/data-writer.ts";
import type { TailSource } from "../content/file-recipe.ts";
import type { FragmentPlace } from "../content/fragment-packer.ts";
import type { StoredFile } from "../content/stored-data.ts";
import { assert, throwIfAborted } from "../errors.ts";
import type { BodyStore } from "./body-store.ts";
import type { LayerCounts, Route } from "./read-layer.ts";

/** Files between two looks at whether somebody waits. */
const FILES_PER_SETTLE = 256;

export interface ReplayOptions {
	readonly data: DataWriter;
	readonly bodies: BodyStore<StoredFile>;
	readonly blocks: BlockStore | undefined;
	readonly counts: LayerCounts;
	readonly signal?: AbortSignal | undefined;
}

/**
 * Does with a layer's index what `readLayer` does with its archive: every content goes to its route, in the archive's order. `isAtHand` holds for each.
 * Returns the layer's index with the places that its tails have now, where they are others. Throws CACHE_DAMAGED.
 */
export async function replayLayer(
	index: LayerIndex,
	layer: number,
	routeOf: (entryIndex: number) => Route,
	options: ReplayOptions,
): Promise<LayerIndexWriter | undefined> {
	const { data, bodies, blocks, counts, signal } = options;
	const places = new TailPlaces();
	const turns = new Turns(signal);
	let files = 0;
	for (const { index: entry, byteLength, content } of index.files()) {
		const route = routeOf(entry);
		const body = { layer, entry };
		if (route === "skip") counts.skippedBytes += byteLength;
		else if (route === "store") {
			assert(content.stored !== undefined, "a content by reference has a recipe");
			const { recipe, tail } = content.stored;
			counts.storedBytes += byteLength;
			const stored = data.appendRecipe(recipe, tail);
			bodies.setStored(body, stored);
			places.add(tail, stored.content.fragment);
		} else if (route === "aside") {
			assert(content.whole !== undefined, "a content that is set aside is kept as it is");
			bodies.setAside(body, wholeContent(content.whole, byteLength, blocks));
		}
		if (++files % FILES_PER_SETTLE !== 0) continue;
		throwIfAborted(signal);
		await data.settle();
		if (turns.areDue(FILES_PER_SETTLE)) await turns.next();
	}
	data.endLayer();
	await data.settle();
	return places.haveMoved((fragment) => data.fragmentKey(fragment))
		? inTurns(movedIndex(index, layer, options), signal)
		: undefined;
}

/** The index with the tails where they are in this image; an entry a step. */
function* movedIndex(index: LayerIndex, layer: number, { bodies }: ReplayOptions): Steps<LayerIndexWriter> {
	const writer = new LayerIndexWriter(index.blockBytes, index);
	for (const { entry, content } of index.entries()) {
		yield;
		writer.entry(entry);
		if (entry.type !== "file") continue;
		const stored = bodies.stored({ layer, entry: entry.index });
		const place = stored?.content.fragment;
		if (content.stored !== undefined && place !== undefined)
			writer.stored(content.stored.recipe, { fragment: place.index, offset: place.offset });
		else writer.skipped();
	}
	return writer;
}

function wholeContent(hash: Uint8Array, byteLength: number, blocks: BlockStore | undefined): Uint8Array {
	if (byteLength === 0) return new Uint8Array();
	assert(blocks !== undefined, "a content by reference comes out of a store");
	return blocks.content(hash, byteLength);
}

/** Where an index says that tails are against where they are now, fragment block by fragment block. */
class TailPlaces {
	/** By a key's object, of which an index has one for each block. */
	readonly #numbers = new Map<Uint8Array, number>();
	#hasMoved = false;

	add(tail: TailSource | undefined, place: FragmentPlace | undefined): void {
		if (tail === undefined || place === undefined || this.#hasMoved) return;
		const { fragment, offset } = tail;
		const number = this.#numbers.get(fragment);
		if (number === undefined) this.#numbers.set(fragment, place.index);
		this.#hasMoved = offset !== place.offset || (number !== undefined && number !== place.index);
	}

	/** When the blocks were ended. */
	haveMoved(keyOf: (fragment: number) => Uint8Array): boolean {
		for (const [key, number] of this.#numbers) {
			if (this.#hasMoved) break;
			this.#hasMoved = Buffer.compare(key, keyOf(number)) !== 0;
		}
		return this.#hasMoved;
	}
}
