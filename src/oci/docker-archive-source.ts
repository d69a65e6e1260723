import * as z from "zod";
import { elementAt } from "../binary/element-at.ts";
import { assert, corrupt, Oci2isoError } from "../errors.ts";
import { type ImageSource, readManifest } from "./blob-source.ts";
import type { Descriptor } from "./descriptor.ts";
import { type Digest, digestHex, digestOf } from "./digest.ts";
import { formatDockerReference, parseDockerReference, withDefaultTag } from "./docker-reference.ts";
import { unsupported } from "./failures.ts";
import { type FileRegion, readRegion } from "./file-region.ts";
import { type FileStore, readSmallFile } from "./file-store.ts";
import { parseImageConfig } from "./image-config.ts";
import { layerBoundBytes, layerTooLarge } from "./image-limits.ts";
import { decompress } from "./inflate-layer.ts";
import { parseDocument } from "./json-document.ts";
import { sniff } from "./layer.ts";
import { layoutBlobs, layoutPath, readLayoutIndex } from "./layout-source.ts";
import type { ImageManifest } from "./manifest.ts";
import { DOCKER_CONFIG, DOCKER_LAYER, DOCKER_LAYER_GZIP, DOCKER_MANIFEST, documentKind } from "./media-types.ts";
import type { ArchiveSelection } from "./reference.ts";
import { digestMismatch } from "./verified-blob.ts";

const strings = z
	.array(z.string())
	.nullish()
	.transform((list) => list ?? []);
const manifestListSchema = z.array(z.object({ Config: z.string(), RepoTags: strings, Layers: strings }));
type SavedImage = z.infer<typeof manifestListSchema>[number];

/** Documents of an embedded image layout that are looked at to find the saved image in it. */
const MAX_EMBEDDED_DOCUMENTS = 256;

/**
 * What `docker save` and `podman save` write (Docker image spec v1.2, "Combined Image JSON + Filesystem Changeset Format"). It keeps no image
 * manifest: where the archive is an image layout too, that layout's manifest is taken; otherwise one of schema 2 is made of the uncompressed
 * layers, byte for byte as skopeo makes it.
 */
export function dockerArchiveSource(
	store: FileStore,
	selection: ArchiveSelection,
	maxLayerBytes: number | undefined,
): ImageSource {
	const notes: string[] = [...store.notes];
	const embedded = layoutBlobs(store);
	const files = new Map<Digest, FileRegion>();

	const locate = async (name: string, what: string): Promise<FileRegion> => {
		const region = await store.find(name);
		if (region === undefined)
			throw corrupt("BLOB_MISSING", `${what} is missing`, `${store.path}, ${name.slice(0, 200)}`);
		return region;
	};

	return {
		notes,
		async root(signal) {
			const image = await readSelected(store, selection, signal);
			const configFile = await locate(image.Config, "image configuration");
			const config = await readSmallFile(store, image.Config, signal);
			assert(config !== undefined, "it was located");
			const configDigest = digestOf(config);
			checkFileName(image.Config, configDigest, store.path);
			const original = await findEmbedded(store, image, configDigest, signal);
			if (original.manifest !== undefined) return original.manifest;
			if (original.fault !== undefined)
				notes.push(`${store.path}: its OCI manifest is not used, manifest.json is: ${original.fault}`);

			files.set(configDigest, configFile);
			const { diffIds } = parseImageConfig(config, configDigest, image.Layers.length);
			const layers: Descriptor[] = [];
			for (const [index, diffId] of diffIds.entries()) {
				const region = await locate(elementAt(image.Layers, index), `layer ${index}`);
				const size = await uncompressedBytes(region, `layer ${index}, ${diffId}`, maxLayerBytes, signal);
				files.set(diffId, region);
				layers.push({ mediaType: DOCKER_LAYER, digest: diffId, size });
			}
			notes.push(
				`${store.path}: the archive keeps no image manifest; the digest is that of one made from its uncompressed layers`,
			);
			return synthesize({ mediaType: DOCKER_CONFIG, digest: configDigest, size: config.byteLength }, layers);
		},
		async *blob(descriptor, signal) {
			const region = files.get(descriptor.digest);
			if (region === undefined) yield* embedded.blob(descriptor, signal);
			else yield* uncompressed(region, descriptor.digest, signal);
		},
		has: async (descriptor) => files.has(descriptor.digest) || (await embedded.has(descriptor)),
		close: () => store.close(),
	};
}

async function readSelected(
	store: FileStore,
	{ name, sourceIndex }: ArchiveSelection,
	signal: AbortSignal | undefined,
): Promise<SavedImage> {
	const bytes = await readSmallFile(store, "manifest.json", signal);
	if (bytes === undefined) {
		const other = (await store.find("index.json"))
			? "it looks like oci-archive:"
			: (await store.find("repositories"))
				? "it was saved before Docker 1.10; load and save it again"
				: undefined;
		throw unsupported("IMAGE_NOT_FOUND", "no docker-archive: manifest.json is missing", store.path, other);
	}
	const origin = { code: "ARCHIVE_MANIFEST_INVALID", name: "manifest.json", where: store.path };
	const images = parseDocument(bytes, manifestListSchema, origin);
	const wanted = name === undefined ? undefined : formatDockerReference(withDefaultTag(name));
	const matching = images.filter(
		({ RepoTags }, position) =>
			(sourceIndex === undefined || position === sourceIndex) &&
			(wanted === undefined || RepoTags.some((tag) => normalized(tag) === wanted)),
	);
	const [image] = matching;
	const listed = images
		.map(({ RepoTags }, position) => `:${RepoTags[0] ?? `@${position}`}`)
		.slice(0, 20)
		.join(", ");
	if (image === undefined) {
		const what = images.length === 0 ? "archive holds no image" : `no image ${wanted ?? `at position ${sourceIndex}`}`;
		throw unsupported("IMAGE_NOT_FOUND", what, store.path, images.length === 0 ? undefined : `there is ${listed}`);
	}
	if (matching.some(({ Config }) => Config !== image.Config))
		throw unsupported(
			"IMAGE_AMBIGUOUS",
			`${matching.length} images match`,
			store.path,
			`add one of ${listed} to the reference`,
		);
	return image;
}

/** Tags in an archive were written by other programs; one that is no reference matches nothing. */
function normalized(tag: string): string | undefined {
	try {
		return formatDockerReference(withDefaultTag(parseDockerReference(tag)));
	} catch {
		return undefined;
	}
}

/** Docker and podman name the configuration after its digest. */
function checkFileName(name: string, digest: Digest, where: string): void {
	const hex = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(name)?.[1];
	if (hex !== undefined && hex !== digestHex(digest))
		throw digestMismatch("BLOB_DIGEST_MISMATCH", "image configuration", digest, `sha256:${hex}`, where);
}

interface Embedded {
	readonly manifest?: ImageManifest;
	/** Why the manifest of this image is not to be used. */
	readonly fault?: string;
}

/**
 * The manifest with this image configuration, in the image layout that the archive may also be. Writers have got that layout wrong (Docker 25.0.0 left
 * out layers, or had them in another order or size): it is used only where each of its layers is the very file that manifest.json names.
 */
async function findEmbedded(
	store: FileStore,
	image: SavedImage,
	config: Digest,
	signal: AbortSignal | undefined,
): Promise<Embedded> {
	try {
		const manifest = await searchEmbedded(store, config, signal);
		if (manifest === undefined) return {};
		if (manifest.layers.length !== image.Layers.length)
			return { fault: `it has ${manifest.layers.length} layers, not ${image.Layers.length}` };
		for (const [index, { digest, size }] of manifest.layers.entries()) {
			const named = await store.find(elementAt(image.Layers, index));
			const listed = await store.find(layoutPath(digest));
			if (named === undefined || listed === undefined || named.position !== listed.position)
				return { fault: `layer ${index} is another` };
			if (listed.byteLength !== size) return { fault: `layer ${index} has another size` };
		}
		return { manifest };
	} catch (error) {
		if (!(error instanceof Oci2isoError) || error.kind === "interrupted") throw error;
		return { fault: error.what };
	}
}

async function searchEmbedded(
	store: FileStore,
	config: Digest,
	signal: AbortSignal | undefined,
): Promise<ImageManifest | undefined> {
	const index = await readLayoutIndex(store, signal);
	if (index === undefined) return undefined;
	const blobs = layoutBlobs(store);
	const queue = [...index.manifests];
	for (let read = 0; read < MAX_EMBEDDED_DOCUMENTS; read++) {
		const descriptor = queue.shift();
		if (descriptor === undefined) break;
		const kind = documentKind(descriptor.mediaType);
		if ((kind !== "index" && kind !== "manifest") || !(await blobs.has(descriptor))) continue;
		const document = await readManifest(blobs, descriptor, signal);
		if (document.kind === "manifest" && document.config.digest === config) return document;
		if (document.kind === "index" && queue.length < MAX_EMBEDDED_DOCUMENTS)
			queue.push(...document.manifests.slice(0, MAX_EMBEDDED_DOCUMENTS));
	}
	return undefined;
}

async function uncompressedBytes(
	region: FileRegion,
	where: string,
	maxLayerBytes: number | undefined,
	signal: AbortSignal | undefined,
): Promise<number> {
	const stored = readRegion(region, signal);
	try {
		const { compression, chunks } = await sniff(stored);
		if (compression === "none") return region.byteLength;
		const bound = layerBoundBytes(region.byteLength, maxLayerBytes);
		let byteLength = 0;
		for await (const chunk of decompress(compression, chunks, where)) {
			byteLength += chunk.byteLength;
			if (byteLength > bound) throw layerTooLarge(where, bound);
		}
		return byteLength;
	} finally {
		await stored.return();
	}
}

async function* uncompressed(
	region: FileRegion,
	digest: Digest,
	signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
	const stored = readRegion(region, signal);
	try {
		const { compression, chunks } = await sniff(stored);
		yield* decompress(compression, chunks, digest);
	} finally {
		await stored.return();
	}
}

/** In the order and spelling of skopeo's own, which calls every layer compressed, so that the digest is the one that skopeo reports. */
function synthesize(config: Descriptor, layers: readonly Descriptor[]): ImageManifest {
	const ordered = (mediaType: string, { size, digest }: Descriptor) => ({ mediaType, size, digest });
	const document = {
		schemaVersion: 2,
		mediaType: DOCKER_MANIFEST,
		config: ordered(DOCKER_CONFIG, config),
		layers: layers.map((layer) => ordered(DOCKER_LAYER_GZIP, layer)),
	};
	const bytes = Buffer.from(JSON.stringify(document));
	return { kind: "manifest", digest: digestOf(bytes), mediaType: DOCKER_MANIFEST, bytes, config, layers };
}
