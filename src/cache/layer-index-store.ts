import { hash } from "node:crypto";
import type { Steps } from "../binary/turns.ts";
import { GiB, MiB } from "../binary/units.ts";
import { type Cut, isSameCut } from "../content/file-recipe.ts";
import type { LayerIdentity, LayerIndex } from "./layer-index-format.ts";
import { openingLayerIndex } from "./layer-index-reader.ts";
import { cutText } from "./settings.ts";
import type { StoreDirectory } from "./store-directory.ts";

export const MAX_INDEX_BYTES = GiB;
/** What is written in a step. */
const PIECE_BYTES = MiB / 4;

/** A layer as an image describes it. */
export type ClaimedLayer = Omit<LayerIdentity, "compression">;

/** Of a layer's index, by the digest of its blob and how contents are cut. `origin`: see `originOf`. */
export function layerIndexName(digest: string, cut: Cut, origin?: string): string {
	return `${fileNameOf(digest)}.${cutText(cut)}${suffixOf(origin)}.index`;
}

/** A digest as a part of a file name. */
export function fileNameOf(digest: string): string {
	return digest.replace(/[^0-9A-Za-z]/g, "-");
}

/**
 * Files that came from a shared cache keep where from in their names, and only builds that name the same one use them: what others wrote is never
 * taken for what this machine has seen. What is sealed with a key (`keyId`) is apart from what is not.
 */
export function originOf(reference: string, keyId = ""): string {
	return hash("sha256", reference + keyId).slice(0, 16);
}

/** As a part of a file name; nothing for what was made here. */
export function suffixOf(origin: string | undefined): string {
	return origin === undefined ? "" : `.from-${origin}`;
}

/** The origin in a file's name. */
export function originIn(name: string): string | undefined {
	return /\.from-([0-9a-f]{16})\.(?:index|pack)$/.exec(name)?.[1];
}

/** The index of a layer by its blob's digest, if there is a whole one; a broken one is removed. In steps. */
export function* readingLayerIndex(
	directory: StoreDirectory,
	digest: string,
	cut: Cut,
	origin?: string,
): Steps<LayerIndex | undefined> {
	const name = layerIndexName(digest, cut, origin);
	const bytes = yield* directory.readingFile("layer", name, MAX_INDEX_BYTES);
	if (bytes === undefined) return undefined;
	const index = yield* openingLayerIndex(bytes);
	if (index?.layer.digest === digest && isSameCut(index, cut)) return index;
	directory.remove("layer", name);
	return undefined;
}

/** Whether an image says of the blob what was seen when it was read; if not, reading it again tells what is wrong. */
export function agrees({ layer }: LayerIndex, { digest, compressedBytes, diffId }: ClaimedLayer): boolean {
	return layer.digest === digest && layer.compressedBytes === compressedBytes && layer.diffId === diffId;
}

/** Replaces the layer's index, in steps; what was written is removed where they are stopped. */
export function* writingLayerIndex(
	directory: StoreDirectory,
	digest: string,
	cut: Cut,
	bytes: Uint8Array,
	origin?: string,
): Steps<void> {
	const file = directory.create("layer");
	try {
		for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) {
			file.write(at, bytes.subarray(at, at + PIECE_BYTES));
			yield;
		}
		file.publish(layerIndexName(digest, cut, origin));
	} finally {
		file.discard();
	}
}
