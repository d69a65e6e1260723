import { inTurns, type Steps } from "../binary/turns.ts";
import type { BuildCache } from "../cache/build-cache.ts";
import type { PackedBlock, ReadImage } from "../cache/pack-writer.ts";
import type { BlockSettings } from "../cache/settings.ts";
import type { OciImage } from "../oci/open-image.ts";
import { STORED_RAW } from "../rootfs/squashfs/constants.ts";
import type { PlacedBlock, SquashfsWriter } from "../rootfs/squashfs/squashfs-writer.ts";
import type { CollectedLayer } from "./collect.ts";

export interface KeepOptions {
	readonly image: Pick<OciImage, "layers">;
	readonly collected: readonly CollectedLayer[];
	readonly squashfs: SquashfsWriter;
	readonly settings: BlockSettings;
	/** Reads the squashfs. */
	readonly read: ReadImage;
	readonly signal?: AbortSignal | undefined;
}

/** Puts what this build has compressed into the store, layer by layer, then what it knows of the layers; each once. Rejects with INTERRUPTED. */
export async function keepBlocks(
	cache: BuildCache,
	{ image, collected, squashfs, settings, read, signal }: KeepOptions,
): Promise<void> {
	for (const [number, { stretches, contents }] of collected.entries()) {
		const layer = image.layers[number];
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
		for (const placed of await inTurns(placedBlocks(squashfs, stretches), signal)) {
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

/** What a layer's contents take in the squashfs; a block a step. */
export function* usedBytes(
	squashfs: SquashfsWriter,
	stretches: CollectedLayer["stretches"],
): Steps<{ reusedBytes: number; recompressedBytes: number }> {
	let [reusedBytes, recompressedBytes] = [0, 0];
	for (const { reused, size } of yield* placedBlocks(squashfs, stretches)) {
		if (reused) reusedBytes += size & (STORED_RAW - 1);
		else recompressedBytes += size & (STORED_RAW - 1);
	}
	return { reusedBytes, recompressedBytes };
}

/** A block a step. */
function* placedBlocks(squashfs: SquashfsWriter, stretches: CollectedLayer["stretches"]): Steps<PlacedBlock[]> {
	const placed: PlacedBlock[][] = [];
	for (const { from, to } of stretches) placed.push(yield* squashfs.placedBlocks(from, to));
	return placed.flat();
}
