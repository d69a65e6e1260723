import { inParallel } from "../binary/in-parallel.ts";
import { corrupt, Oci2isoError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { Distribution } from "../oci/distribution.ts";
import type { OciImage } from "../oci/open-image.ts";
import type { ImageOptions } from "../options/image-options.ts";
import { openBeside } from "../options/open-beside.ts";
import { type PayloadFormat, payloadNames } from "./payload-names.ts";

/** An image that the medium carries to be installed from it. */
export interface PayloadImage
	extends Pick<OciImage, "manifestDigest" | "manifest" | "config" | "configBytes" | "layers"> {
	/** As it was given. */
	readonly reference: string;
	/** What it is called on the medium. */
	readonly name: string;
	/** Its blobs; undefined where they are not kept. */
	readonly distribution: Distribution | undefined;
	announce: OciImage["announce"];
	close(): Promise<void>;
}

interface PayloadToOpen {
	readonly reference: string;
	readonly manifestDigest?: Digest | undefined;
}

const QUESTIONS_AT_A_TIME = 8;

/**
 * Opens images to install for the platform of `image`, and asks whether what the medium will have of each is there: blobs, or layers. Throws `Oci2isoError` as
 * `openBeside`, and PAYLOAD_NOT_KEPT, PAYLOAD_NAMES (exit 2), BLOB_MISSING (exit 5).
 */
export async function openPayloads(
	asked: readonly PayloadToOpen[],
	image: Pick<OciImage, "reference" | "platform" | "layers">,
	options: ImageOptions,
	format: PayloadFormat,
): Promise<PayloadImage[]> {
	const opened: (OciImage & { readonly asked: string })[] = [];
	try {
		for (const { reference, manifestDigest } of asked) {
			const payload = await openBeside(reference, image, { ...options, manifestDigest }, "the payload");
			opened.push(Object.assign(payload, { asked: reference }));
			if (format === "storage") await requireLayers(payload, image, options.signal);
			else if (payload.distribution === undefined) throw notKept(reference);
			else await requireBlobs(payload.distribution, reference, options.signal);
		}
		const names = payloadNames(opened, format);
		return opened.map((payload, index) => {
			const { asked: reference, manifestDigest, manifest, config, configBytes, layers, distribution } = payload;
			const of = { manifestDigest, manifest, config, configBytes, layers, distribution };
			const announce: OciImage["announce"] = (some) => payload.announce(some);
			return { ...of, reference, name: names[index] ?? "", announce, close: () => payload.close() };
		});
	} catch (error) {
		for (const payload of opened) await payload.close();
		throw error;
	}
}

/** Those that the image has are its own to be missed. */
async function requireLayers(
	{ layers, reference }: OciImage,
	image: Pick<OciImage, "layers">,
	signal: AbortSignal | undefined,
): Promise<void> {
	const own = new Set(image.layers.map(({ diffId }) => diffId));
	await inParallel([...layers], QUESTIONS_AT_A_TIME, async (layer) => {
		if (!own.has(layer.diffId) && !(await layer.isThere(signal))) throw missing(layer.digest, reference);
	});
}

async function requireBlobs(
	{ blobs }: Distribution,
	reference: string,
	signal: AbortSignal | undefined,
): Promise<void> {
	await inParallel([...blobs], QUESTIONS_AT_A_TIME, async (blob) => {
		if (!(await blob.isThere(signal))) throw missing(blob.digest, reference);
	});
}

function missing(digest: Digest, where: string): Oci2isoError {
	return corrupt("BLOB_MISSING", `the payload's blob ${digest} is missing`, where);
}

function notKept(where: string): Oci2isoError {
	return new Oci2isoError({
		code: "PAYLOAD_NOT_KEPT",
		kind: "usage",
		what: "the payload's blobs are not kept there, but only the files that were in them",
		where,
		expected: "an image in a registry, a layout or an archive",
		remedy:
			"use --payload-format storage, name it in its registry, or copy it first (`skopeo copy containers-storage:NAME oci:DIR:TAG`)",
	});
}
