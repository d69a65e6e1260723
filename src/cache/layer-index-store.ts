import { GiB } from "../binary/units.ts";
import { type LayerIndex, openLayerIndex } from "./layer-index-format.ts";
import type { StoreDirectory } from "./store-directory.ts";

export const MAX_INDEX_BYTES = GiB;

/** Of a layer's index; blocks of another size have other recipes. */
export function layerIndexName(diffId: string, blockBytes: number): string {
	return `${fileNameOf(diffId)}.${blockBytes}.index`;
}

/** A diffID as a part of a file name. */
export function fileNameOf(diffId: string): string {
	return diffId.replace(/[^0-9A-Za-z]/g, "-");
}

/** The index of a layer, if there is a whole one; a broken one is removed. */
export function readLayerIndex(directory: StoreDirectory, diffId: string, blockBytes: number): LayerIndex | undefined {
	const name = layerIndexName(diffId, blockBytes);
	const bytes = directory.readFile("layer", name, MAX_INDEX_BYTES);
	if (bytes === undefined) return undefined;
	const index = openLayerIndex(bytes);
	if (index?.diffId === diffId && index.blockBytes === blockBytes) return index;
	directory.remove("layer", name);
	return undefined;
}

/** Replaces the layer's index. */
export function writeLayerIndex(
	directory: StoreDirectory,
	diffId: string,
	blockBytes: number,
	bytes: Uint8Array,
): void {
	const file = directory.create("layer");
	try {
		file.write(0, bytes);
		file.publish(layerIndexName(diffId, blockBytes));
	} finally {
		file.discard();
	}
}
