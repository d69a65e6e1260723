import * as z from "zod";
import { type Digest, isDigest } from "./digest.ts";

export const digestSchema = z.custom<Digest>(
	(value) => typeof value === "string" && isDigest(value),
	"a digest as sha256:<64 hexadecimal digits> or sha512:<128>",
);

/** Writers leave out what they do not know. */
const platformSchema = z.object({
	os: z.string().nullish(),
	architecture: z.string().nullish(),
	variant: z.string().nullish(),
});

/** OCI image-spec descriptor.md, with the `platform` of image-index.md. `size` is in bytes. */
export const descriptorSchema = z.object({
	mediaType: z.string(),
	digest: digestSchema,
	size: z.int().nonnegative(),
	platform: platformSchema.nullish(),
	annotations: z.record(z.string(), z.string()).nullish(),
});

export type Descriptor = z.infer<typeof descriptorSchema>;

/** The tag of a manifest in an image layout's index.json (OCI image-spec annotations.md). */
export const REF_NAME = "org.opencontainers.image.ref.name";

export function refNameOf(descriptor: Descriptor): string | undefined {
	const annotations = descriptor.annotations;
	return annotations !== null && annotations !== undefined && Object.hasOwn(annotations, REF_NAME)
		? annotations[REF_NAME]
		: undefined;
}
