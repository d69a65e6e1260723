import * as z from "zod";
import { corrupt } from "../errors.ts";
import { type Descriptor, descriptorSchema } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import { unsupported, unsupportedCompression } from "./failures.ts";
import { checkDocument, type DocumentOrigin, parseJson } from "./json-document.ts";
import { documentKind, isEncrypted, isImageConfig, layerMediaType, OCI_MANIFEST } from "./media-types.ts";

/** OCI image-spec manifest.md or Docker image manifest version 2, schema 2. */
export interface ImageManifest {
	readonly kind: "manifest";
	readonly digest: Digest;
	readonly mediaType: string;
	/** The document itself, which has the digest. */
	readonly bytes: Uint8Array;
	readonly config: Descriptor;
	/** Bottom first. */
	readonly layers: readonly Descriptor[];
}

/** OCI image-spec image-index.md or a Docker manifest list. */
export interface ImageIndex {
	readonly kind: "index";
	/** What it is called in errors: a digest or a file name. */
	readonly name: string;
	readonly manifests: readonly Descriptor[];
}

export type ManifestDocument = ImageManifest | ImageIndex;

const descriptors = z
	.array(descriptorSchema)
	.nullish()
	.transform((list) => list ?? []);

const versioned = z.object({ schemaVersion: z.int(), mediaType: z.string().nullish() });
const manifestSchema = z.object({ config: descriptorSchema, layers: descriptors });
export const indexSchema = z.object({ manifests: descriptors });

/**
 * Reads an image manifest or an index. `declaredMediaType` is what the descriptor or the server said; the document's own
 * `mediaType` and its fields must agree with it, so that one digest never has two meanings.
 * Throws `Oci2isoError` MANIFEST_INVALID (exit 5), and MANIFEST_SCHEMA_1 or IMAGE_IS_ARTIFACT (exit 2).
 */
export function parseManifest(
	bytes: Uint8Array,
	digest: Digest,
	declaredMediaType: string | undefined,
): ManifestDocument {
	const origin: DocumentOrigin = { code: "MANIFEST_INVALID", name: "image manifest", where: digest };
	const document = parseJson(bytes, origin);
	const fields = typeof document === "object" && document !== null ? document : {};
	const has = (field: string): boolean => Object.hasOwn(fields, field);
	if (has("fsLayers") || has("signatures")) throw schema1(digest);
	const { schemaVersion, mediaType } = checkDocument(document, versioned, origin);
	if (schemaVersion === 1) throw schema1(digest);
	if (schemaVersion !== 2) throw corrupt(origin.code, `image manifest has schemaVersion ${schemaVersion}`, digest, "2");

	const structure = has("manifests") ? "index" : "manifest";
	if (structure === "index" && (has("layers") || has("config")))
		throw corrupt(origin.code, "document is an index and an image manifest at once", digest, "one of the two");
	for (const claimed of [declaredMediaType, mediaType]) {
		const kind = claimed === undefined || claimed === null ? undefined : documentKind(claimed);
		if (kind === "schema1") throw schema1(digest);
		if (kind !== undefined && kind !== structure)
			throw corrupt(origin.code, `media type ${claimed} on what looks like an ${structure}`, digest, `an ${kind}`);
	}
	if (structure === "index") {
		const { manifests } = checkDocument(document, indexSchema, { ...origin, name: "image index" });
		return { kind: "index", name: digest, manifests };
	}
	const claimed = mediaType ?? declaredMediaType;
	if (claimed !== undefined && documentKind(claimed) === undefined)
		throw artifact(`document of type ${claimed}`, digest);
	const { config, layers } = checkDocument(document, manifestSchema, origin);
	return { kind: "manifest", digest, mediaType: claimed ?? OCI_MANIFEST, bytes, config, layers };
}

/** Throws `Oci2isoError` (exit 2) with the reason where the manifest is of something that is not an image, or that cannot be read without a key. */
export function requireImage({ digest, config, layers }: ImageManifest): void {
	if (!isImageConfig(config.mediaType)) throw artifact(`config of type ${config.mediaType || "(none)"}`, digest);
	for (const [index, { mediaType, digest: layer }] of layers.entries()) {
		const where = `layer ${index}, ${layer}`;
		if (isEncrypted(mediaType))
			throw unsupported("LAYER_ENCRYPTED", `layer is encrypted (${mediaType})`, where, "decrypt the image first");
		if (layerMediaType(mediaType) !== undefined) continue;
		if (LAYER_TYPES.some((start) => mediaType.startsWith(start)))
			throw unsupportedCompression(`layer is of type ${mediaType}`, where);
		throw artifact(`layer of type ${mediaType || "(none)"}`, where);
	}
}

/** Of layers, however compressed. */
const LAYER_TYPES = ["application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs."];

function schema1(digest: Digest) {
	return unsupported(
		"MANIFEST_SCHEMA_1",
		"image manifest is of Docker schema 1, which has no layer checksums to trust",
		digest,
		"convert it, for example with `skopeo copy --format oci`",
	);
}

function artifact(what: string, where: string) {
	return unsupported("IMAGE_IS_ARTIFACT", `not a container image: ${what}`, where, "name a container image");
}
