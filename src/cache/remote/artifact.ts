import { createHash } from "node:crypto";
import type { Cut } from "../../content/file-recipe.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import type { Digest } from "../../oci/digest.ts";
import { cutText, parseCut, STORE_VERSION } from "../settings.ts";

// A store's files as an OCI artifact (image-spec manifest.md, "Guidelines for Artifact Usage"): one layer for each layer index and each pack.

export const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
const ARTIFACT_TYPE = `application/vnd.oci2iso.cache.v${STORE_VERSION}`;
const CONFIG_TYPE = `${ARTIFACT_TYPE}.config+json`;
const INDEX_TYPE = `${ARTIFACT_TYPE}.layer-index+gzip`;
const PACK_TYPE = `${ARTIFACT_TYPE}.pack`;

const DIFF_ID = "vnd.oci2iso.cache.diff-id";
const LAYER = "vnd.oci2iso.cache.layer";
const BLOCK_BYTES = "vnd.oci2iso.cache.block-bytes";
const SETTINGS = "vnd.oci2iso.cache.settings";
const HEAD_BYTES = "vnd.oci2iso.cache.head-bytes";
const HEAD_DIGEST = "vnd.oci2iso.cache.head-digest";
const SEAL = "vnd.oci2iso.cache.seal";

/** The manifest has to stay below what registries take (4 MiB). */
export const MAX_ARTIFACT_ENTRIES = 2048;

interface ArtifactBlob {
	readonly digest: Digest;
	/** Of the blob as it is stored. */
	readonly size: number;
	/** See `CacheKey`; absent where its writer had none. */
	readonly seal?: string;
}

/** A layer index, gzipped. */
export interface IndexBlob extends ArtifactBlob, Cut {
	readonly kind: "index";
	/** Digest of the layer's blob. */
	readonly layer: string;
}

/** A pack as it is in a store. */
export interface PackBlob extends ArtifactBlob {
	readonly kind: "pack";
	/** Of the layer that it was made for. */
	readonly diffId: string;
	/** `settingsText`. */
	readonly settings: string;
	/** What comes before the data: its checksums cover every block, and this digest covers them. */
	readonly headBytes: number;
	readonly headDigest: string;
}

export type ArtifactEntry = IndexBlob | PackBlob;

/** The artifact's configuration: there is nothing to configure. */
export const ARTIFACT_CONFIG: Buffer = Buffer.from("{}");

/** The manifest; the same entries in the same order give the same bytes. */
export function encodeArtifact(entries: readonly ArtifactEntry[]): Buffer {
	const config = { mediaType: CONFIG_TYPE, digest: sha256(ARTIFACT_CONFIG), size: ARTIFACT_CONFIG.byteLength };
	const layers = entries.map(descriptorOf);
	return Buffer.from(
		JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_TYPE, artifactType: ARTIFACT_TYPE, config, layers }),
	);
}

/** The entries that can be understood, in the manifest's order; undefined where the manifest is of something else. */
export function decodeArtifact(
	config: Descriptor,
	layers: readonly Descriptor[],
): readonly ArtifactEntry[] | undefined {
	if (config.mediaType !== CONFIG_TYPE) return undefined;
	return layers.slice(0, MAX_ARTIFACT_ENTRIES).flatMap((layer) => entryOf(layer) ?? []);
}

export function descriptorOf(entry: ArtifactEntry): Descriptor {
	const { digest, size } = entry;
	const seal = entry.seal === undefined ? {} : { [SEAL]: entry.seal };
	if (entry.kind === "index") {
		const annotations = { [LAYER]: entry.layer, [BLOCK_BYTES]: cutText(entry), ...seal };
		return { mediaType: INDEX_TYPE, digest, size, annotations };
	}
	const annotations = {
		[DIFF_ID]: entry.diffId,
		[SETTINGS]: entry.settings,
		[HEAD_BYTES]: String(entry.headBytes),
		[HEAD_DIGEST]: entry.headDigest,
		...seal,
	};
	return { mediaType: PACK_TYPE, digest, size, annotations };
}

function entryOf({ mediaType, digest, size, annotations }: Descriptor): ArtifactEntry | undefined {
	const said = new Map(Object.entries(annotations ?? {}));
	if (size === 0) return undefined;
	const seal = said.get(SEAL);
	const blob = { digest, size, ...(seal === undefined ? {} : { seal }) };
	if (mediaType === INDEX_TYPE) {
		const layer = said.get(LAYER);
		const cut = parseCut(said.get(BLOCK_BYTES) ?? "");
		if (layer === undefined || cut === undefined) return undefined;
		return { kind: "index", ...blob, layer, ...cut };
	}
	const diffId = said.get(DIFF_ID);
	const settings = said.get(SETTINGS);
	const headBytes = numberOf(said.get(HEAD_BYTES));
	const headDigest = said.get(HEAD_DIGEST);
	if (
		mediaType !== PACK_TYPE ||
		diffId === undefined ||
		settings === undefined ||
		headBytes === undefined ||
		headDigest === undefined
	)
		return undefined;
	return headBytes > size ? undefined : { kind: "pack", ...blob, diffId, settings, headBytes, headDigest };
}

function numberOf(text: string | undefined): number | undefined {
	return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

export function sha256(bytes: Uint8Array): Digest {
	return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
