import { elementAt } from "../../binary/element-at.ts";
import { corrupt, type Oci2isoError } from "../../errors.ts";
import { type ImageSource, readDocument } from "../blob-source.ts";
import type { Descriptor } from "../descriptor.ts";
import { type Digest, digestOf } from "../digest.ts";
import { unsupported } from "../failures.ts";
import { parseImageConfig } from "../image-config.ts";
import { MAX_LAYERS } from "../image-limits.ts";
import { type ImageManifest, parseManifest } from "../manifest.ts";
import { DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST, documentKind, OCI_LAYER } from "../media-types.ts";
import { type Environment, hostEnvironment } from "../registry/options.ts";
import { type FoundImage, findImage } from "./find-image.ts";
import { explainArchive, layerArchive } from "./layer-archive.ts";
import { layerChanged } from "./layer-contents.ts";
import { archiveBytesOf, isKept, type LayerPlace, whyNotKept } from "./layer-tar-split.ts";
import type { StorageReference, StoredName } from "./storage-reference.ts";
import { readStore, readStoredDocument, type Store, type StoredLayer } from "./store.ts";
import { driverBelow, rootlessUserId, type StorePlaces, storePlaces } from "./store-places.ts";

interface StorageOptions {
	readonly environment?: Environment | undefined;
	readonly signal?: AbortSignal | undefined;
}

/** The image that a reference names in podman's and buildah's store. Throws `Oci2isoError` IMAGE_NOT_FOUND, IMAGE_AMBIGUOUS (exit 2) and as `findInStore`. */
export async function storageSource(reference: StorageReference, options: StorageOptions): Promise<ImageSource> {
	const environment = options.environment ?? hostEnvironment();
	const places = await storePlaces(reference.store, environment);
	const stores = await readStores(places, options.signal);
	const found = findImage(stores, reference.image);
	if (found === undefined) throw notFound(reference.image, places, stores, environment);
	return sourceOf(found, stores, reference.image);
}

/**
 * An image of that name in the user's own store (of podman, buildah, skopeo and CRI-O), and those that it is laid over; undefined where there is none, or no store.
 * Throws `Oci2isoError` IMAGE_AMBIGUOUS, IMAGE_UNREADABLE, STORE_UNSUPPORTED, STORAGE_CONF_INVALID (exit 2), STORE_INVALID (exit 5), STORE_BUSY (exit 6).
 */
export async function findInStore(image: StoredName, options: StorageOptions = {}): Promise<ImageSource | undefined> {
	const places = await storePlaces(undefined, options.environment ?? hostEnvironment());
	const stores = await readStores(places, options.signal);
	const found = findImage(stores, image);
	return found === undefined ? undefined : sourceOf(found, stores, image);
}

async function readStores({ driver, roots }: StorePlaces, signal: AbortSignal | undefined): Promise<Store[]> {
	const stores: Store[] = [];
	for (const root of roots) {
		const present = driver ?? stores[0]?.driver ?? (await driverBelow(root));
		const store = present === undefined ? undefined : await readStore(root, present, signal);
		if (store !== undefined) stores.push(store);
	}
	return stores;
}

/** The manifest is the one that was pulled or built; the layers that it names are not kept, but the archives in them: in their place. */
function sourceOf(
	{ store, image, notes: choices }: FoundImage,
	stores: readonly Store[],
	{ name }: StoredName,
): ImageSource {
	const notes = [...choices];
	const layers = new Map<Digest, LayerPlace>();

	const readByDigest = async (digest: Digest): Promise<Buffer | undefined> => {
		const owners = [
			{ store, image },
			...stores.flatMap((each) => each.images.map((other) => ({ store: each, image: other }))),
		];
		for (const owner of owners)
			for (const [key, known] of owner.image.documents) {
				if (known !== digest || ![digest, "manifest", `manifest-${digest}`].includes(key)) continue;
				const bytes = await readStoredDocument(owner.store, owner.image, key);
				if (bytes !== undefined) return bytes;
			}
		return undefined;
	};

	const source: ImageSource = {
		notes,
		async root() {
			const digest = name?.digest;
			const asked = digest !== undefined && image.digests.has(digest) ? await readByDigest(digest) : undefined;
			const bytes = asked ?? (await readStoredDocument(store, image, "manifest"));
			if (bytes === undefined)
				throw corrupt("STORE_INVALID", "the image has no manifest", `${store.root}, image ${image.id}`);
			const actual = digestOf(bytes);
			if (!image.digests.has(actual))
				throw corrupt(
					"BLOB_DIGEST_MISMATCH",
					`the image's manifest has the digest ${actual}`,
					`${store.root}, image ${image.id}`,
					[...image.digests].join(" or "),
				);
			return parseManifest(bytes, actual, undefined);
		},
		async asKept(manifest, signal) {
			if (manifest.layers.length === 0) return manifest;
			const owner = ownerOf(manifest, { store, image }, stores);
			const config = await readDocument(source, manifest.config, "image configuration", signal);
			const { diffIds } = parseImageConfig(config, manifest.config.digest, manifest.layers.length);
			const chain = chainOf(owner.image.topLayer, owner.store, stores);
			if (chain.length !== diffIds.length)
				throw corrupt(
					"STORE_INVALID",
					`the store has ${chain.length} layers of the image`,
					owner.store.root,
					`${diffIds.length}, as its configuration says`,
				);
			const kept: Descriptor[] = [];
			for (const [index, diffId] of diffIds.entries()) {
				const { layer, place } = elementAt(chain, index);
				const where = `layer ${index}, ${diffId}`;
				if (layer.isIncomplete)
					throw layerChanged("a pull or build has not finished the layer, or was broken off", where);
				if (layer.diffId !== undefined && layer.diffId !== diffId)
					throw corrupt(
						"STORE_INVALID",
						`the store has ${layer.diffId} as the layer`,
						where,
						"the one that the image's configuration names",
					);
				const reason = await whyNotKept(place, where);
				if (reason !== undefined) throw reason;
				const size = layer.archiveBytes ?? (await archiveBytesOf(place, where, signal));
				layers.set(diffId, place);
				const isDocker = manifest.config.mediaType === DOCKER_CONFIG;
				kept.push({ mediaType: isDocker ? DOCKER_LAYER : OCI_LAYER, digest: diffId, size });
			}
			notes.push(
				`${owner.store.root}: the store keeps no blobs; layers were made again of its files, and are those that the image's configuration names`,
			);
			return { ...manifest, layers: kept };
		},
		async *blob({ digest, mediaType }, signal) {
			const place = layers.get(digest);
			if (place !== undefined) {
				yield* layerArchive(place, digest, signal);
				return;
			}
			const bytes = await readByDigest(digest);
			if (bytes === undefined) throw notStored(digest, mediaType, store.root);
			yield bytes;
		},
		async has({ digest }) {
			const place = layers.get(digest);
			return place === undefined ? (await readByDigest(digest)) !== undefined : await isKept(place);
		},
		async explain({ digest, size }, signal) {
			const place = layers.get(digest);
			return place && (await explainArchive(place, digest, size, signal));
		},
		close: () => Promise.resolve(),
	};
	return source;
}

/** Of which image a manifest is: the instances of an index are images of their own. */
function ownerOf(
	{ digest }: ImageManifest,
	found: Pick<FoundImage, "store" | "image">,
	stores: readonly Store[],
): Pick<FoundImage, "store" | "image"> {
	if (found.image.digests.has(digest)) return found;
	for (const store of stores) {
		const image = store.images.find((each) => each.digests.has(digest));
		if (image !== undefined) return { store, image };
	}
	throw notStored(digest, DOCKER_MANIFEST, found.store.root);
}

interface ChainedLayer {
	readonly layer: StoredLayer;
	readonly place: LayerPlace;
}

/** From the bottom to `top`; a layer may lie on one of another store. */
function chainOf(top: string | undefined, own: Store, stores: readonly Store[]): ChainedLayer[] {
	const chain: ChainedLayer[] = [];
	for (let layerId = top; layerId !== undefined; ) {
		const store = [own, ...stores].find(({ layers }) => layers.has(layerId ?? ""));
		const layer = store?.layers.get(layerId);
		if (store === undefined || layer === undefined) throw layerChanged(`the store has no layer ${layerId}`, own.root);
		if (chain.length >= MAX_LAYERS)
			throw corrupt("STORE_INVALID", "layers lie upon layers without an end", own.root, `at most ${MAX_LAYERS}`);
		chain.push({ layer, place: { root: store.root, driver: store.driver, layerId } });
		layerId = layer.parent;
	}
	return chain.reverse();
}

function notStored(digest: Digest, mediaType: string, where: string): Oci2isoError {
	if (documentKind(mediaType) === undefined) return corrupt("BLOB_MISSING", `blob ${digest} is missing`, where);
	return unsupported(
		"IMAGE_NOT_FOUND",
		`the image of this platform, ${digest}, is not in the store`,
		where,
		"pull it with `podman pull --platform OS/ARCH`",
	);
}

const MAX_LISTED = 20;

function notFound(
	{ text }: StoredName,
	{ roots }: StorePlaces,
	stores: readonly Store[],
	environment: Environment,
): Oci2isoError {
	const names = stores.flatMap(({ images }) => images.flatMap(({ names, id }) => (names.length > 0 ? names : [id])));
	const listed =
		names.slice(0, MAX_LISTED).join(", ") + (names.length > MAX_LISTED ? ` and ${names.length - MAX_LISTED} more` : "");
	const user = rootlessUserId(environment.variables);
	const owner = user === 0 ? "root's images, users have others" : `the images of user ${user}, root has others`;
	return unsupported(
		"IMAGE_NOT_FOUND",
		stores.length === 0 ? "there is no store of images" : `no image "${text.slice(0, 300)}" in the store`,
		roots.join(", "),
		`${names.length === 0 ? "" : `there is ${listed}; `}these are ${owner}: \`podman images\` lists them, \`podman pull\` adds one`,
	);
}
