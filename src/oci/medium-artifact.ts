import * as z from "zod";
import { Oci2isoError } from "../errors.ts";
import { type Digest, digestOf } from "./digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "./media-types.ts";

// A medium as an OCI artifact (image-spec 1.1, manifest.md, "Guidelines for Artifact Usage"): its file is the one layer. An index around it has the
// platform, so that media for several machines share a tag.

/** No type is registered for ISO 9660 images; others of this family are in use for disk images. */
const ISO_TYPE = "application/vnd.diskimage.iso";
/** Of an artifact that has nothing to configure (image-spec, "Guidance for an Empty Descriptor"). */
export const EMPTY_CONFIG: Buffer = Buffer.from("{}");

const EMPTY_DESCRIPTOR = {
	mediaType: "application/vnd.oci.empty.v1+json",
	digest: digestOf(EMPTY_CONFIG),
	size: EMPTY_CONFIG.byteLength,
	data: EMPTY_CONFIG.toString("base64"),
};

export interface MediumPlatform {
	readonly os: string;
	readonly architecture: string;
	readonly variant?: string | undefined;
}

interface MediumFile {
	readonly digest: Digest;
	readonly size: number;
	/** The name that clients give it when they pull. */
	readonly title: string;
}

/** The manifest of one medium; `annotations` are its own. */
export function mediumManifest(file: MediumFile, annotations: Readonly<Record<string, string>>): Buffer {
	const { digest, size, title } = file;
	return encoded({
		schemaVersion: 2,
		mediaType: OCI_MANIFEST,
		artifactType: ISO_TYPE,
		config: EMPTY_DESCRIPTOR,
		layers: [{ mediaType: ISO_TYPE, digest, size, annotations: { "org.opencontainers.image.title": title } }],
		annotations,
	});
}

/** The manifest of a document about what has the manifest `subject`. */
export function documentManifest(mediaType: string, document: Uint8Array, subject: Buffer): Buffer {
	return encoded({
		schemaVersion: 2,
		mediaType: OCI_MANIFEST,
		artifactType: mediaType,
		config: EMPTY_DESCRIPTOR,
		layers: [{ mediaType, digest: digestOf(document), size: document.byteLength }],
		subject: { mediaType: OCI_MANIFEST, digest: digestOf(subject), size: subject.byteLength },
	});
}

const indexSchema = z.looseObject({
	mediaType: z.literal(OCI_INDEX),
	manifests: z.array(
		z.looseObject({
			platform: z.looseObject({ os: z.string(), architecture: z.string(), variant: z.string().optional() }).nullish(),
		}),
	),
});
export type MediumIndex = z.infer<typeof indexSchema>;

/** An index that a tag stands for; undefined for anything else. */
export function parseMediumIndex(bytes: Uint8Array): MediumIndex | undefined {
	try {
		return indexSchema.safeParse(JSON.parse(Buffer.from(bytes).toString("utf8"))).data;
	} catch {
		return undefined;
	}
}

export function hasPlatform({ manifests }: MediumIndex, platform: MediumPlatform): boolean {
	return manifests.some((entry) => isFor(entry, platform));
}

/** `existing`, or a new one, with this manifest as the one for its platform. */
export function indexWith(existing: MediumIndex | undefined, manifest: Buffer, platform: MediumPlatform): Buffer {
	const { os, architecture, variant } = platform;
	const others = (existing?.manifests ?? []).filter((entry) => !isFor(entry, platform));
	const own = {
		mediaType: OCI_MANIFEST,
		digest: digestOf(manifest),
		size: manifest.byteLength,
		artifactType: ISO_TYPE,
		platform: { architecture, os, ...(variant !== undefined && { variant }) },
	};
	return encoded({ ...(existing ?? { schemaVersion: 2, mediaType: OCI_INDEX }), manifests: [...others, own] });
}

/** OUTPUT_EXISTS (exit 6). */
export function tagTaken(where: string, what: string): Oci2isoError {
	return new Oci2isoError({
		code: "OUTPUT_EXISTS",
		kind: "output",
		what,
		where,
		remedy: "choose another tag, or pass --overwrite",
	});
}

function isFor({ platform }: MediumIndex["manifests"][number], { os, architecture, variant }: MediumPlatform): boolean {
	return platform?.os === os && platform.architecture === architecture && platform.variant === variant;
}

function encoded(document: unknown): Buffer {
	return Buffer.from(JSON.stringify(document));
}
