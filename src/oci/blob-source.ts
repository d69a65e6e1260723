import type { Oci2isoError } from "../errors.ts";
import type { Descriptor } from "./descriptor.ts";
import { MAX_DOCUMENT_BYTES } from "./json-document.ts";
import { type ImageManifest, type ManifestDocument, parseManifest } from "./manifest.ts";
import { verifiedBlob } from "./verified-blob.ts";

/** Bytes of a blob from `start` up to `end`, at least one. */
export interface BlobPart {
	readonly start: number;
	readonly end: number;
}

/** Code of the failure where a part is asked for and a registry has only the whole. */
export const RANGE_IGNORED = "REGISTRY_RANGE_IGNORED";

/** A place that gives blobs by descriptor: a directory, an archive, a registry, a cache before one. */
export interface BlobSource {
	/**
	 * The blob's bytes in order, **not verified**; each chunk is valid until the next is asked for.
	 * Throws `Oci2isoError` BLOB_MISSING when the first chunk is asked for. Every call reads from the start.
	 */
	blob(descriptor: Descriptor, signal?: AbortSignal): AsyncIterable<Uint8Array>;
	/** The bytes of a part of a blob, as `blob` gives them; throws REGISTRY_RANGE_IGNORED (exit 4) where a registry gives whole blobs only. Absent where there are no parts. */
	part?(descriptor: Descriptor, part: BlobPart, signal?: AbortSignal): AsyncIterable<Uint8Array>;
	/** Whether `blob` would find it, with its size where that can be seen. */
	has(descriptor: Descriptor, signal?: AbortSignal): Promise<boolean>;
	/** Why a blob has not its digest, where the source can say more than that. */
	explain?(descriptor: Descriptor, signal?: AbortSignal): Promise<Oci2isoError | undefined>;
}

/** A blob source together with what a reference names in it. */
export interface ImageSource extends BlobSource {
	/** The manifest or index that the reference names, its digest verified where one was given. */
	root(signal?: AbortSignal): Promise<ManifestDocument>;
	/** The manifest with those layers that the source can give, where these are not the blobs that it names. */
	asKept?(manifest: ImageManifest, signal?: AbortSignal): Promise<ImageManifest>;
	/** What was chosen where nothing says how; grows while reading. */
	readonly notes: readonly string[];
	close(): Promise<void>;
}

/** A whole blob of at most 4 MiB, verified; `name` is for errors. */
export async function readDocument(
	source: BlobSource,
	descriptor: Descriptor,
	name: string,
	signal?: AbortSignal,
): Promise<Buffer> {
	const where = `${name}, ${descriptor.digest}`;
	const pieces: Buffer[] = [];
	for await (const chunk of verifiedBlob(source.blob(descriptor, signal), descriptor, where, MAX_DOCUMENT_BYTES))
		pieces.push(Buffer.from(chunk));
	return Buffer.concat(pieces);
}

/** The image manifest or index that a descriptor names. */
export async function readManifest(
	source: BlobSource,
	descriptor: Descriptor,
	signal?: AbortSignal,
): Promise<ManifestDocument> {
	const bytes = await readDocument(source, descriptor, "manifest", signal);
	return parseManifest(bytes, descriptor.digest, descriptor.mediaType);
}
