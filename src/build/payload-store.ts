import type { LayerCollector } from "../layers/collect.ts";
import type { TreeLimits } from "../oci/image-limits.ts";
import { containerStore } from "../payload/container-store.ts";
import type { PayloadImage } from "../payload/payload-images.ts";
import type { DirectoryInode } from "../tree/inode.ts";
import { MetadataBudget } from "../tree/metadata-budget.ts";

/** Of the live system's tree and, apart, of the layers that container storage has: together no more than the heap has room for. */
export function halved({ maxInodes, maxMetadataBytes }: TreeLimits): TreeLimits {
	return { maxInodes, maxMetadataBytes: Math.floor(maxMetadataBytes / 2) };
}

/** What a collector takes down for container storage of these images. */
export function recordedLayers(payloads: readonly PayloadImage[], limits: TreeLimits) {
	return { layers: payloads.flatMap(({ layers }) => layers), budget: new MetadataBudget(halved(limits)) };
}

/** The directory of container storage with these images, its contents stored. Rejects as `LayerCollector.recorded`. */
export function storeOf(
	payloads: readonly PayloadImage[],
	collector: LayerCollector,
	epochSeconds: number,
	signal: AbortSignal | undefined,
): Promise<DirectoryInode> {
	return containerStore({
		images: payloads.map(({ name, manifest, config: { diffIds }, configBytes }) => {
			return { names: [name], manifest, configBytes, diffIds };
		}),
		layerOf: (diffId) => collector.recorded({ diffId }),
		addFile: (bytes) => collector.addFile(bytes),
		epochSeconds,
		signal,
	});
}
