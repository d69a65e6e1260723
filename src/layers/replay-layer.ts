import { DIGEST_BYTES } from "../binary/digest-numbers.ts";
import { inTurns, type Steps, Turns } from "../binary/turns.ts";
import type { BlockStore } from "../cache/block-store.ts";
import type { IndexedEntry, LayerIndex } from "../cache/layer-index-format.ts";
import { LayerIndexWriter } from "../cache/layer-index-writer.ts";
import type { BlockNeed } from "../cache/remote/cache-source.ts";
import type { DataWriter } from "../content/data-writer.ts";
import type { TailSource } from "../content/file-recipe.ts";
import type { FragmentPlace } from "../content/fragment-packer.ts";
import type { StoredFile } from "../content/stored-data.ts";
import { assert, throwIfAborted } from "../errors.ts";
import type { BodyTable } from "./body-table.ts";
import type { LayerCounts, Route } from "./collected-layer.ts";

/** Files between two looks at whether somebody waits. */
const FILES_PER_SETTLE = 256;

interface ReplayOptions {
	readonly data: DataWriter;
	readonly stored: BodyTable<StoredFile>;
	readonly aside: BodyTable<Uint8Array>;
	readonly blocks: BlockStore | undefined;
	readonly counts: LayerCounts;
	readonly signal?: AbortSignal | undefined;
}

/** Adds to `needs` what an entry's content needs to go where its route says and is not at hand; false where no key says what that is. */
export function addLackingBlocks(
	needs: BlockNeed[],
	{ entry, content: { whole, stored } }: IndexedEntry,
	route: Route,
	{ data, blocks }: Pick<ReplayOptions, "data" | "blocks">,
): boolean {
	if (entry.type !== "file" || route === "skip" || route === "ignore") return true;
	if (route === "aside") {
		if (whole === undefined) return false;
		if (entry.byteLength > 0 && blocks?.hasContent(whole) !== true) needs.push({ kind: "content", key: whole });
		return true;
	}
	if (stored === undefined) return false;
	const { recipe, tail } = stored;
	if (data.hasContent(recipe)) return true;
	if (tail !== undefined && blocks?.hasFragment(tail.fragment) !== true)
		needs.push({ kind: "fragment", key: tail.fragment });
	for (let at = 0; at < recipe.blockHashes.byteLength; at += DIGEST_BYTES) {
		const key = recipe.blockHashes.subarray(at, at + DIGEST_BYTES);
		if (!data.hasBlock(key) && blocks?.hasBlock(key) !== true) needs.push({ kind: "block", key });
	}
	return true;
}

/**
 * Does with a layer's index what reading does with its archive: every content goes to its route, in the archive's order; none lacks a block.
 * Returns the layer's index with the places that its tails have now, where they are others. Throws CACHE_DAMAGED.
 */
export async function replayLayer(
	index: LayerIndex,
	layer: number,
	routes: readonly Route[],
	options: ReplayOptions,
): Promise<LayerIndexWriter | undefined> {
	const { data, blocks, counts, signal } = options;
	const places = new TailPlaces();
	const turns = new Turns(signal);
	let files = 0;
	for (const { index: entry, byteLength, content } of index.files()) {
		const route = routes[entry];
		const body = { layer, entry };
		if (route === "skip") counts.skippedBytes += byteLength;
		else if (route === "store") {
			assert(content.stored !== undefined, "a content by reference has a recipe");
			const { recipe, tail } = content.stored;
			counts.storedBytes += byteLength;
			const stored = data.appendRecipe(recipe, tail);
			options.stored.set(body, stored);
			places.add(tail, stored.content.fragment);
		} else if (route === "aside") {
			assert(content.whole !== undefined, "a content that is set aside is kept as it is");
			options.aside.set(body, wholeContent(content.whole, byteLength, blocks));
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
function* movedIndex(
	index: LayerIndex,
	layer: number,
	{ stored: storedFiles }: ReplayOptions,
): Steps<LayerIndexWriter> {
	const writer = new LayerIndexWriter(index, index);
	for (const { entry, content } of index.entries()) {
		yield;
		writer.entry(entry);
		if (entry.type !== "file") continue;
		const stored = storedFiles.get({ layer, entry: entry.index });
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
