import type { BlockStore } from "../cache/block-store.ts";
import type { IndexedEntry, LayerIndex } from "../cache/layer-index-format.ts";
import type { BlockNeed } from "../cache/remote/cache-source.ts";
import type { DataWriter } from "../content/data-writer.ts";
import { HASH_BYTES } from "../content/file-recipe.ts";
import type { Route } from "./read-layer.ts";

/** What is at hand without reading a layer: in the image, or in the store. */
export interface AtHand {
	readonly data: Pick<DataWriter, "hasContent" | "hasBlock">;
	readonly blocks: BlockStore | undefined;
}

/** Whether an entry's content can go where its route says without reading the layer. */
export function isAtHand(indexed: IndexedEntry, route: Route, atHand: AtHand): boolean {
	return missing(indexed, route, atHand).next().done === true;
}

/** Everything that a layer's contents need to go where their routes say and that is not at hand; undefined where a content is not known by key. */
export function missingBlocks(index: LayerIndex, routes: readonly Route[], atHand: AtHand): BlockNeed[] | undefined {
	const needs: BlockNeed[] = [];
	for (const indexed of index.entries())
		for (const need of missing(indexed, routes[indexed.entry.index] ?? "skip", atHand)) {
			if (need === "reading") return undefined;
			needs.push(need);
		}
	return needs;
}

function* missing(
	{ entry, content }: IndexedEntry,
	route: Route,
	{ data, blocks }: AtHand,
): Generator<BlockNeed | "reading"> {
	if (entry.type !== "file" || route === "skip" || route === "ignore") return;
	const { whole, stored } = content;
	if (route === "aside") {
		if (whole === undefined) yield "reading";
		else if (entry.byteLength > 0 && blocks?.hasContent(whole) !== true) yield { kind: "content", key: whole };
		return;
	}
	if (stored === undefined) {
		yield "reading";
		return;
	}
	const { recipe, tail } = stored;
	if (data.hasContent(recipe)) return;
	if (tail !== undefined && blocks?.hasFragment(tail.fragment) !== true) yield { kind: "fragment", key: tail.fragment };
	for (let at = 0; at < recipe.blockHashes.byteLength; at += HASH_BYTES) {
		const key = recipe.blockHashes.subarray(at, at + HASH_BYTES);
		if (!data.hasBlock(key) && blocks?.hasBlock(key) !== true) yield { kind: "block", key };
	}
}
