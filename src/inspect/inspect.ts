import { requireFilter } from "../codec/codec-table.ts";
import { interruptible } from "../errors.ts";
import { askImage, type ReadCost } from "../layers/ask-image.ts";
import { openImage } from "../oci/open-image.ts";
import { formatPlatform } from "../oci/platform.ts";
import { checkOptions } from "../options/check-options.ts";
import {
	accessFields,
	bootFields,
	callback,
	type Field,
	imageFields,
	imageReference,
	squashfsFields,
	treeFields,
} from "../options/fields.ts";
import {
	type BootOptions,
	type ImageOptions,
	openingOptions,
	type SquashfsOptions,
	type TreeOptions,
} from "../options/image-options.ts";
import { DEFAULT_PRESET, presets } from "../options/presets.ts";
import { isExpectedPath } from "./expected-paths.ts";
import { type Inspection, inspectTree } from "./inspect-image.ts";

/** What the ISO would be built with; what makes no difference to whether it boots is taken too, so that the same options serve both. */
export interface InspectImageOptions extends ImageOptions, BootOptions, TreeOptions, SquashfsOptions {
	/** Told how many bytes of blobs were read, of how many. */
	readonly onBytes?: ((blobBytes: number, totalBytes: number) => void) | undefined;
}

const fields = {
	image: imageReference,
	...imageFields,
	...accessFields,
	...bootFields,
	...treeFields,
	...squashfsFields,
	onBytes: callback(),
} satisfies Record<keyof InspectImageOptions | "image", Field>;

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
	checkOptions({ image: reference, ...options }, fields, ["image"]);
	return interruptible(options.signal, () => inspect(reference, options));
}

async function inspect(reference: string, options: InspectImageOptions): Promise<ImageInspection> {
	const { label, kernel, vendor, preset = DEFAULT_PRESET, comp = presets[preset].comp, bcj, onBytes } = options;
	requireFilter(comp, bcj);
	const image = await openImage(reference, { ...openingOptions(options), announceLayers: false });
	try {
		const total = image.layers.reduce((sum, { compressedBytes }) => sum + compressedBytes, 0);
		const { architecture } = image.platform;
		const asked = { architecture, label, kernel, vendor, codec: comp, bcj };
		const {
			answer: inspection,
			cost,
			notes,
		} = await askImage(image.layers, (tree) => inspectTree(tree, asked), {
			limits: image.treeLimits,
			isExpected: isExpectedPath,
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
