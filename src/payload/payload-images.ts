import { inParallel } from "../binary/in-parallel.ts";
import { corrupt, Oci2isoError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { Distribution } from "../oci/distribution.ts";
import { formatDockerReference } from "../oci/docker-reference.ts";
import type { OciImage } from "../oci/open-image.ts";
import { parseReference } from "../oci/reference.ts";
import type { ImageOptions } from "../options/image-options.ts";
import { openBeside } from "../options/open-beside.ts";

/** An image that the medium carries to be installed from it. */
export interface PayloadImage {
	readonly reference: string;
	readonly manifestDigest: Digest;
	/** What it is called in its layout. */
	readonly name: string;
	readonly distribution: Distribution;
	close(): Promise<void>;
}

interface PayloadToOpen {
	readonly reference: string;
	readonly manifestDigest?: Digest | undefined;
}

const QUESTIONS_AT_A_TIME = 8;

/**
 * Opens images to install for the platform of `image`, and asks for each of their blobs whether it is there. Throws `Oci2isoError` as `openBeside`, and
 * PAYLOAD_NOT_KEPT, PAYLOAD_NAMES (exit 2), BLOB_MISSING (exit 5).
 */
export async function openPayloads(
	asked: readonly PayloadToOpen[],
	image: Pick<OciImage, "reference" | "platform">,
	options: ImageOptions,
): Promise<PayloadImage[]> {
	const names = payloadNames(asked.map(({ reference }) => reference));
	const opened: PayloadImage[] = [];
	try {
		for (const [index, { reference, manifestDigest }] of asked.entries()) {
			const payload = await openBeside(reference, image, { ...options, manifestDigest }, "the payload");
			const { distribution } = payload;
			const close = (): Promise<void> => payload.close();
			if (distribution === undefined) {
				await close();
				throw notKept(reference);
			}
			const name = names[index] ?? "";
			opened.push({ reference, manifestDigest: payload.manifestDigest, name, distribution, close });
			await requireBlobs(distribution, reference, options.signal);
		}
		return opened;
	} catch (error) {
		for (const payload of opened) await payload.close();
		throw error;
	}
}

async function requireBlobs(
	{ blobs }: Distribution,
	reference: string,
	signal: AbortSignal | undefined,
): Promise<void> {
	await inParallel([...blobs], QUESTIONS_AT_A_TIME, async (blob) => {
		if (!(await blob.isThere(signal)))
			throw corrupt("BLOB_MISSING", `the payload's blob ${blob.digest} is missing`, reference);
	});
}

/** Tags, or where two images have the same tag, names with them. Throws `Oci2isoError` PAYLOAD_NAMES (exit 2). */
function payloadNames(references: readonly string[]): string[] {
	const short = references.map((reference) => tagOf(reference) ?? "latest");
	const names = short.map((tag, i) =>
		short.indexOf(tag) === short.lastIndexOf(tag) ? tag : longName(references[i] ?? ""),
	);
	for (const [i, name] of names.entries())
		if (names.indexOf(name) !== i)
			throw new Oci2isoError({
				code: "PAYLOAD_NAMES",
				kind: "usage",
				what: `two payloads would be called "${name}"`,
				where: references[i],
				expected: "images with different names or tags",
			});
	return names;
}

function tagOf(text: string): string | undefined {
	const reference = parseReference(text);
	if (reference.transport === "docker") return reference.name.tag;
	if (reference.transport === "oci" || reference.transport === "oci-archive") return reference.selection.tag;
	return reference.transport === "docker-archive" ? reference.selection.name?.tag : undefined;
}

function longName(text: string): string {
	const reference = parseReference(text);
	if (reference.transport === "docker") return formatDockerReference(reference.name);
	if (reference.transport === "docker-archive" && reference.selection.name !== undefined)
		return formatDockerReference(reference.selection.name);
	return tagOf(text) ?? "latest";
}

function notKept(where: string): Oci2isoError {
	return new Oci2isoError({
		code: "PAYLOAD_NOT_KEPT",
		kind: "usage",
		what: "the payload's blobs are not kept there, but only the files that were in them",
		where,
		expected: "an image in a registry, a layout or an archive",
		remedy: "name it in its registry, or copy it first (`skopeo copy containers-storage:NAME oci:DIR:TAG`)",
	});
}
