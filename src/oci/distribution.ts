import type { BlobSource } from "./blob-source.ts";
import type { Descriptor } from "./descriptor.ts";
import type { ImageManifest } from "./manifest.ts";
import { verifiedBlob } from "./verified-blob.ts";

/** An image as registries and layouts have it. */
export interface Distribution {
	readonly manifest: Pick<ImageManifest, "digest" | "mediaType" | "bytes">;
	/** What the manifest names: the configuration, then the layers from the bottom up. Each once. */
	readonly blobs: readonly DistributedBlob[];
}

/** A blob as it is stored. `size` is in bytes. */
export interface DistributedBlob extends Pick<Descriptor, "digest" | "size"> {
	/** Whether it is there to be read; throws what registries throw. */
	isThere(signal?: AbortSignal): Promise<boolean>;
	/**
	 * Its bytes; each chunk is valid until the next is asked for. Size and digest are checked on the way: only who reads to the end knows that they held.
	 * Throws `Oci2isoError` BLOB_MISSING, BLOB_SIZE_MISMATCH, BLOB_DIGEST_MISMATCH (exit 5), INTERRUPTED (exit 130).
	 */
	read(signal?: AbortSignal): AsyncIterable<Uint8Array>;
}

export function distributionOf(source: BlobSource, manifest: ImageManifest): Distribution {
	const distinct = new Map([manifest.config, ...manifest.layers].map((descriptor) => [descriptor.digest, descriptor]));
	return {
		manifest,
		blobs: [...distinct.values()].map((descriptor) => ({
			digest: descriptor.digest,
			size: descriptor.size,
			isThere: (signal) => source.has(descriptor, signal),
			read: (signal) => verifiedBlob(source.blob(descriptor, signal), descriptor, `blob ${descriptor.digest}`),
		})),
	};
}
