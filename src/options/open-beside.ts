import { Oci2isoError } from "../errors.ts";
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
	try {
		return await openImage(reference, { ...opening, manifestDigest: options.manifestDigest, announceLayers: false });
	} catch (error) {
		if (!(error instanceof Oci2isoError)) throw error;
		const { code, kind, what, where, expected, remedy, problems } = error;
		throw new Oci2isoError({ code, kind, what: `${role}: ${what}`, where, expected, remedy, problems, cause: error });
	}
}

function domainOf(reference: string): string | undefined {
	const parsed = parseReference(reference);
	return parsed.transport === "docker" ? parsed.name.domain : undefined;
}
