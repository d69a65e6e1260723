import { getHeapStatistics } from "node:v8";
import { GiB } from "../binary/units.ts";
import { Oci2isoError } from "../errors.ts";

/** Uncompressed bytes of one layer, beyond which it is taken for a decompression bomb: more than any image's files together. */
const DEFAULT_MAX_LAYER_BYTES = 64 * GiB;
/** Layers of one image. Container engines end at 128 to 500. */
export const MAX_LAYERS = 1024;

/** Nobody minds a layer of so many bytes, whatever it was compressed to. */
const HARMLESS_LAYER_BYTES = 4 * GiB;
/** Deflate cannot do better than 1032 : 1, and no layer of files comes near. */
const MAX_RATIO = 1100;
/** The rest is for contents, tables and garbage that was not collected yet. */
const METADATA_SHARE_OF_HEAP = 0.65;

/**
 * Uncompressed bytes that a layer of `compressedBytes` may have: what was asked for, else by the size that its manifest states, between 4 and 64 GiB.
 */
export function layerBoundBytes(compressedBytes: number, maxLayerBytes: number | undefined): number {
	if (maxLayerBytes !== undefined) return maxLayerBytes;
	return Math.min(DEFAULT_MAX_LAYER_BYTES, Math.max(HARMLESS_LAYER_BYTES, compressedBytes * MAX_RATIO));
}

export function layerTooLarge(where: string, maxLayerBytes: number): Oci2isoError {
	return new Oci2isoError({
		code: "LAYER_TOO_LARGE",
		kind: "corrupt",
		what: "layer is larger when uncompressed",
		where,
		expected: `at most ${maxLayerBytes} bytes`,
		remedy: "for an image that you trust, say --max-layer-bytes SIZE",
	});
}

/** Bounds of the tree that layers make. */
export interface TreeLimits {
	/** Entries of all layers; absent: the merger's default. */
	readonly maxInodes: number | undefined;
	/** Bytes of memory for names, attributes and inodes. */
	readonly maxMetadataBytes: number;
}

/** An image that does not fit into this process' heap ends in an error of ours: past the limit V8 ends the process. */
export function treeLimits(maxInodes: number | undefined): TreeLimits {
	return { maxInodes, maxMetadataBytes: Math.floor(getHeapStatistics().heap_size_limit * METADATA_SHARE_OF_HEAP) };
}
