import { inTurns, type Steps } from "../binary/turns.ts";
import type { BuildCache } from "../cache/build-cache.ts";
import type { PackedBlock, ReadImage } from "../cache/pack-writer.ts";
import type { BlockSettings } from "../cache/settings.ts";
import { storedBytes } from "../content/block-size.ts";
import type { DataWriter } from "../content/data-writer.ts";
import type { PlacedBlock } from "../content/stored-data.ts";
import type { Layer } from "../oci/layer.ts";
import type { CollectedLayer } from "./collected-layer.ts";

interface KeepOptions {
	readonly layers: readonly Layer[];
	readonly collected: readonly CollectedLayer[];
	readonly data: DataWriter;
	readonly settings: BlockSettings;
	/** Reads the image that is being written. */
	readonly read: ReadImage;
	readonly signal?: AbortSignal | undefined;
}

/** Puts what this build has compressed into the store, layer by layer, then what it knows of the layers; each once. Rejects with INTERRUPTED. */
export async function keepBlocks(
	cache: BuildCache,
	{ layers, collected, data, settings, read, signal }: KeepOptions,
): Promise<void> {
	for (const [number, { stretches, contents }] of collected.entries()) {
		const layer = layers[number];
		if (layer === undefined) continue;
		const blocks: PackedBlock[] = contents
			.filter(({ bytes }) => bytes.byteLength > 0)
			.map(({ hash, bytes }) => ({
				kind: "content",
				key: hash,
				storedSize: bytes.byteLength,
				rawBytes: bytes.byteLength,
				bytes,
			}));
		for (const placed of await inTurns(placedBlocks(data, stretches), signal)) {
			if (placed.reused || placed.position === 0) continue;
			const { kind, key, size, rawBytes, position } = placed;
			blocks.push({ kind, key, storedSize: size, rawBytes, bytes: position });
		}
		await cache.keepBlocks(layer.diffId, settings, blocks, read);
		stretches.length = 0;
		contents.length = 0;
	}
	await cache.keepLayers();
}

/** What a layer's contents take in the image; a block a step. */
export function* usedBytes(
	data: DataWriter,
	stretches: CollectedLayer["stretches"],
): Steps<{ reusedBytes: number; recompressedBytes: number }> {
	let [reusedBytes, recompressedBytes] = [0, 0];
	for (const { reused, size } of yield* placedBlocks(data, stretches)) {
		if (reused) reusedBytes += storedBytes(size);
		else recompressedBytes += storedBytes(size);
	}
	return { reusedBytes, recompressedBytes };
}

/** A block a step. */
function* placedBlocks(data: DataWriter, stretches: CollectedLayer["stretches"]): Steps<PlacedBlock[]> {
	const placed: PlacedBlock[][] = [];
	for (const { from, to } of stretches) placed.push(yield* data.placedBlocks(from, to));
	return placed.flat();
}
