import { requireFilter } from "../codec/codec-table.ts";
import { filterFor } from "../codec/types.ts";
import { interruptible } from "../errors.ts";
import { askImage, type ReadCost } from "../layers/ask-image.ts";
import { type LoadersImage, openBuildroot, readLoadersImage } from "../loaders/loaders-image.ts";
import { type OciImage, openImage } from "../oci/open-image.ts";
import { formatPlatform } from "../oci/platform.ts";
import { checkOptions } from "../options/check-options.ts";
import {
	accessFields,
	bootFields,
	buildrootFields,
	callback,
	type Field,
	imageFields,
	imageReference,
	rootFileSystemFields,
	treeFields,
} from "../options/fields.ts";
import {
	type BootOptions,
	type BuildrootOptions,
	bootOptionsOf,
	type ImageOptions,
	openingOptions,
	type SquashfsOptions,
	type TreeOptions,
} from "../options/image-options.ts";
import { DEFAULT_PRESET, presets } from "../options/presets.ts";
import { requireWritable, rootFileSystemNamed } from "../rootfs/root-file-systems.ts";
import { isExpectedPath } from "./expected-paths.ts";
import { type Inspection, inspectTree } from "./inspect-image.ts";

/** What the ISO would be built with; what makes no difference to whether it boots is taken too, so that the same options serve both. */
export interface InspectImageOptions extends ImageOptions, BootOptions, TreeOptions, SquashfsOptions, BuildrootOptions {
	/** Told how many bytes of blobs were read, of how many. */
	readonly onBytes?: ((blobBytes: number, totalBytes: number) => void) | undefined;
}

const fields = {
	image: imageReference,
	...imageFields,
	...accessFields,
	...bootFields,
	...treeFields,
	...rootFileSystemFields,
	...buildrootFields,
	onBytes: callback(),
} satisfies Record<keyof InspectImageOptions | "image", Field>;

/** `Inspection` of an image that was named, and what it cost. */
export interface ImageInspection extends Inspection {
	readonly image: {
		readonly reference: string;
		readonly manifestDigest: string;
		readonly platform: string;
	};
	/** The image that boot loaders come from, where that is another one. */
	readonly buildroot?: {
		readonly reference: string;
		readonly manifestDigest: string;
		readonly platform: string;
		readonly read: Readonly<ReadCost>;
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
	const { vendor, bootloader, preset = DEFAULT_PRESET, comp = presets[preset].comp, bcj, onBytes } = options;
	requireFilter(comp, bcj);
	const format = rootFileSystemNamed(options.rootfs);
	requireWritable(format, { comp, exports: options.exports });
	const image = await openImage(reference, { ...openingOptions(options), announceLayers: false });
	let buildroot: OciImage | undefined;
	try {
		if (options.buildroot !== undefined) buildroot = await openBuildroot(options.buildroot, image, options);
		const { signal } = options;
		const loaders =
			buildroot &&
			(await readLoadersImage(buildroot, { vendor, bootloader, withTools: true, isExpected: isExpectedPath, signal }));
		const total = image.layers.reduce((sum, { compressedBytes }) => sum + compressedBytes, 0);
		const { architecture } = image.platform;
		const asked = {
			...bootOptionsOf(options),
			architecture,
			format,
			codec: comp,
			selinux: options.selinux,
			bcj: filterFor(comp, bcj, architecture),
		};
		const {
			answer: inspection,
			cost,
			notes,
		} = await askImage(image.layers, (tree) => inspectTree(loaders?.over(tree) ?? tree, asked, loaders?.parts), {
			limits: image.treeLimits,
			isExpected: isExpectedPath,
			signal,
			onBytes: (bytes) => onBytes?.(bytes, total),
			onExpected: (layers) => image.announce(layers),
		});
		return {
			image: {
				reference: image.reference,
				manifestDigest: image.manifestDigest,
				platform: formatPlatform(image.platform),
			},
			...(loaders === undefined ? {} : { buildroot: buildrootFacts(loaders) }),
			...inspection,
			notes: [...image.notes, ...notes, ...(loaders?.notes ?? [])],
			read: cost,
		};
	} finally {
		await buildroot?.close();
		await image.close();
	}
}

function buildrootFacts({ reference, manifestDigest, platform, cost: read }: LoadersImage) {
	return { reference, manifestDigest, platform, read };
}
