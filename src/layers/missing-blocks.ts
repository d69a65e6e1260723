import type { LayerIndex } from "../cache/layer-index-format.ts";
import type { BlockNeed } from "../cache/remote/cache-source.ts";
import { HASH_BYTES } from "../content/file-recipe.ts";
import type { Route } from "./read-layer.ts";
import { isAtHand, type ReplayOptions } from "./replay-layer.ts";

/** Everything that a layer's contents need to go where their routes say and that is not at hand; undefined where a content is not known by key. */
export function missingBlocks(
	index: LayerIndex,
	routes: readonly Route[],
	{ squashfs, blocks }: Pick<ReplayOptions, "squashfs" | "blocks">,
): BlockNeed[] | undefined {
	const needs: BlockNeed[] = [];
	for (const indexed of index.entries()) {
		const { entry, content } = indexed;
		const route = routes[entry.index] ?? "skip";
		if (isAtHand(indexed, route, { squashfs, blocks })) continue;
		if (route === "aside" && content.whole !== undefined) needs.push({ kind: "content", key: content.whole });
		else if (route === "store" && content.stored !== undefined) {
			const { recipe, tail } = content.stored;
			if (tail !== undefined && blocks?.hasFragment(tail.fragment) !== true)
				needs.push({ kind: "fragment", key: tail.fragment });
			for (let at = 0; at < recipe.blockHashes.byteLength; at += HASH_BYTES) {
				const key = recipe.blockHashes.subarray(at, at + HASH_BYTES);
				if (!squashfs.hasBlock(key) && blocks?.hasBlock(key) !== true) needs.push({ kind: "block", key });
			}
		} else return undefined;
	}
	return needs;
}
