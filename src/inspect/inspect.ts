import type { CodecName } from "../codec/types.ts";
import { type OpenImageOptions, openImage } from "../oci/open-image.ts";
import { formatPlatform } from "../oci/platform.ts";
import { askImage, type ReadCost } from "./image-pass.ts";
import { type Inspection, inspectTree } from "./inspect-image.ts";

export interface InspectImageOptions extends OpenImageOptions {
	readonly label?: string | undefined;
	readonly kernel?: string | undefined;
	readonly vendor?: string | undefined;
	/** Compressor of the squashfs that would be built; absent: zstd. */
	readonly comp?: CodecName | undefined;
	/** Told how many bytes of blobs were read, of how many. */
	readonly onBytes?: ((blobBytes: number, totalBytes: number) => void) | undefined;
}

/** `Inspection` of an image that was named, and what it cost. */
export interface ImageInspection extends Inspection {
	readonly image: {
		readonly reference: string;
		readonly manifestDigest: string;
		readonly platform: string;
	};
	/** What was chosen where the image leaves something open, in sentences. */
	readonly notes: readonly string[];
	readonly read: Readonly<ReadCost>;
}

/**
 * Reads an image, without writing anything, and says whether it builds and boots. Throws `Oci2isoError` where the image cannot be read
 * (exit 2, 4, 5 or 130); what is wrong with its content is in the result.
 */
export async function inspectImage(reference: string, options: InspectImageOptions = {}): Promise<ImageInspection> {
	const { label, kernel, vendor, comp, onBytes, ...open } = options;
	const image = await openImage(reference, { ...open, announceLayers: false });
	try {
		const total = image.layers.reduce((sum, { compressedBytes }) => sum + compressedBytes, 0);
		const { architecture } = image.platform;
		const asked = { architecture, label, kernel, vendor, codec: comp };
		const {
			answer: inspection,
			cost,
			notes,
		} = await askImage(image.layers, (tree) => inspectTree(tree, asked), {
			limits: image.treeLimits,
			signal: options.signal,
			onBytes: (bytes) => onBytes?.(bytes, total),
			onExpected: (layers) => image.announce(layers),
		});
		return {
			image: {
				reference: image.reference,
				manifestDigest: image.manifestDigest,
				platform: formatPlatform(image.platform),
			},
			...inspection,
			notes: [...image.notes, ...notes],
			read: cost,
		};
	} finally {
		await image.close();
	}
}
