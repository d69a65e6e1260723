import { inRole, Oci2isoError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { type OciImage, openImage } from "../oci/open-image.ts";
import { formatPlatform } from "../oci/platform.ts";
import { parseReference } from "../oci/reference.ts";
import { type ImageOptions, openingOptions } from "./image-options.ts";

/**
 * Opens another image for what is done with `image`: for the same platform, with the same options; `--creds` are for one registry, the image's if that is in
 * one. Throws `Oci2isoError` as `openImage`; what is wrong is said of `role` ("the buildroot").
 */
export async function openBeside(
	reference: string,
	image: Pick<OciImage, "reference" | "platform">,
	options: ImageOptions & { readonly manifestDigest?: Digest | undefined },
	role: string,
): Promise<OciImage> {
	const { os, architecture } = image.platform;
	const domain = domainOf(image.reference);
	const isForeign = domain !== undefined && domain !== domainOf(reference);
	const opening = openingOptions({
		...options,
		platform: formatPlatform({ os, architecture }),
		creds: isForeign ? undefined : options.creds,
	});
	const { manifestDigest } = options;
	return inRole(role, () => openImage(reference, { ...opening, manifestDigest, announceLayers: false }));
}

function domainOf(reference: string): string | undefined {
	const parsed = parseReference(reference);
	return parsed.transport === "docker" ? parsed.name.domain : undefined;
}

/** An image of a system beside the first one. */
export interface NamedImage {
	readonly name: string;
	readonly image: OciImage;
}

/** Opens images of systems beside that of `image`, which are to be closed. Throws `Oci2isoError` as `openBeside`, and ALSO_ARCHITECTURE (exit 3). */
export async function openAlso(
	asked: readonly { readonly name: string; readonly reference: string; readonly manifestDigest?: Digest | undefined }[],
	image: Pick<OciImage, "reference" | "platform">,
	options: ImageOptions,
): Promise<NamedImage[]> {
	const opened: NamedImage[] = [];
	const { architecture } = image.platform;
	try {
		for (const { name, reference, manifestDigest } of asked) {
			const other = await openBeside(reference, image, { ...options, manifestDigest }, `--also ${name}`);
			opened.push({ name, image: other });
			if (other.platform.architecture !== architecture)
				throw new Oci2isoError({
					code: "ALSO_ARCHITECTURE",
					kind: "contract",
					what: `--also ${name}: the image is for ${other.platform.architecture}`,
					where: reference,
					expected: `one for ${architecture}, as the first system's boot loaders`,
				});
		}
		return opened;
	} catch (error) {
		for (const each of opened) await each.image.close();
		throw error;
	}
}
