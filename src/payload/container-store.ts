import type { ByteString } from "../binary/byte-string.ts";
import { elementAt } from "../binary/element-at.ts";
import { inTurns } from "../binary/turns.ts";
import { NO_XATTRS } from "../binary/xattrs.ts";
import { type Digest, digestHex, digestOf } from "../oci/digest.ts";
import type { ImageManifest } from "../oci/manifest.ts";
import { layerMediaType } from "../oci/media-types.ts";
import { documentFile, layerIdOf, linkNameOf } from "../oci/storage/store-names.ts";
import type { BodyId, DirectoryInode, FileInode, Inode, Timestamp } from "../tree/inode.ts";
import { stackingDiff } from "../tree/stack-diffs.ts";

/** An image that container storage is to have. */
export interface StoreImage {
	/** With their registries. */
	readonly names: readonly string[];
	readonly manifest: ImageManifest;
	readonly configBytes: Uint8Array;
	/** Bottom first, as many as the manifest's layers. */
	readonly diffIds: readonly Digest[];
}

/** What it keeps of a layer. */
interface StoreLayer {
	/** The layer alone, as `LayerDiff` makes it. */
	readonly diff: DirectoryInode;
	readonly tarSplit: FileInode;
	/** Of the archive. */
	readonly archiveBytes: number;
}

interface StoreOptions {
	readonly images: readonly StoreImage[];
	readonly layerOf: (diffId: Digest) => Promise<StoreLayer>;
	/** Keeps the content of a file that only the store has. */
	readonly addFile: (bytes: Uint8Array) => Promise<BodyId & Pick<FileInode, "byteLength">>;
	/** Of everything that no layer has. */
	readonly epochSeconds: number;
	readonly signal?: AbortSignal | undefined;
}

const OWNER_ONLY = 0o700;
/** containers/storage, pkg/archive: `Compression`. */
const COMPRESSIONS = { none: 0, gzip: 2, zstd: 4 } as const;

interface PlacedLayer {
	readonly id: string;
	/** Uppermost first. */
	readonly lowers: readonly PlacedLayer[];
	readonly root: DirectoryInode;
}

/**
 * The directory of a containers-storage store with the overlay driver (github.com/containers/storage, store.go, layers.go, images.go, drivers/overlay), as podman has it
 * at /var/lib/containers/storage: every image whole, every layer once for each place that it has in them. Names and times are decided by the images and `epochSeconds`.
 * Throws as `layerOf` and `addFile`.
 */
export async function containerStore(options: StoreOptions): Promise<DirectoryInode> {
	const { images, layerOf, addFile, epochSeconds, signal } = options;
	const epoch: Timestamp = { seconds: epochSeconds, nanoseconds: 0 };
	const created = new Date(epochSeconds * 1000).toISOString().replace(".000Z", "Z");
	const attributes = { uid: 0, gid: 0, mtime: epoch, xattrs: NO_XATTRS, number: 0 };
	const directory = (entries: Iterable<readonly [ByteString, Inode]> = []): DirectoryInode => {
		return { type: "directory", ...attributes, mode: OWNER_ONLY, entries: new Map(entries) };
	};
	const file = async (content: string | Uint8Array): Promise<FileInode> => {
		return { type: "file", ...attributes, mode: 0o600, ...(await addFile(Buffer.from(content))) };
	};
	const link = (target: string): Inode => ({ type: "symlink", ...attributes, mode: 0o777, target });

	const placed = new Map<string, PlacedLayer>();
	const [overlay, links, layerFiles, imageFiles] = [directory(), directory(), directory(), directory()];
	overlay.entries.set("l", links);
	const layerList: unknown[] = [];
	const place = async (parent: PlacedLayer | undefined, image: StoreImage, index: number): Promise<PlacedLayer> => {
		const diffId = elementAt(image.diffIds, index);
		const id = layerIdOf(parent?.id, diffId);
		const known = placed.get(id);
		if (known !== undefined) return known;
		const { diff, tarSplit, archiveBytes } = await layerOf(diffId);
		const lowers = parent === undefined ? [] : [parent, ...parent.lowers];
		const below = lowers.map((lower) => lower.root);
		const layer = { id, lowers, root: await inTurns(stackingDiff(diff, below, epoch), signal) };
		placed.set(id, layer);
		const name = linkNameOf(id);
		links.entries.set(name, link(`../${id}/diff`));
		const own = directory([
			["diff", layer.root],
			["link", await file(name)],
			["work", directory()],
			["merged", directory()],
		]);
		if (lowers.length === 0) own.entries.set("empty", directory());
		else own.entries.set("lower", await file(lowers.map((lower) => `l/${linkNameOf(lower.id)}`).join(":")));
		overlay.entries.set(id, own);
		layerFiles.entries.set(`${id}.tar-split.gz`, { ...tarSplit, ...attributes, mode: 0o600 });
		const { digest, size, mediaType } = elementAt(image.manifest.layers, index);
		layerList.push({
			id,
			...(parent !== undefined && { parent: parent.id }),
			created,
			"compressed-diff-digest": digest,
			"compressed-size": size,
			"diff-digest": diffId,
			"diff-size": archiveBytes,
			// archives of docker keep layers as they are, and their manifest says gzip
			compression: COMPRESSIONS[(digest !== diffId && layerMediaType(mediaType)?.compression) || "none"],
		});
		return layer;
	};

	const imageList: unknown[] = [];
	for (const group of byId(images)) {
		const { id, image, names, documents } = group;
		let top: PlacedLayer | undefined;
		for (const index of image.diffIds.keys()) top = await place(top, image, index);
		const own = directory();
		for (const [name, bytes] of documents) own.entries.set(documentFile(name), await file(bytes));
		imageFiles.entries.set(id, own);
		const named = <Value>(of: (bytes: Uint8Array) => Value): Record<string, Value> =>
			Object.fromEntries([...documents].map(([name, bytes]) => [name, of(bytes)]));
		imageList.push({
			id,
			digest: image.manifest.digest,
			...(names.length > 0 && { names }),
			...(top !== undefined && { layer: top.id }),
			metadata: "{}",
			"big-data-names": [...documents.keys()],
			"big-data-sizes": named((bytes) => bytes.byteLength),
			"big-data-digests": named((bytes) => digestOf(bytes)),
			created,
		});
	}
	layerFiles.entries.set("layers.json", await file(JSON.stringify(layerList)));
	layerFiles.entries.set("layers.lock", await file(""));
	imageFiles.entries.set("images.json", await file(JSON.stringify(imageList)));
	imageFiles.entries.set("images.lock", await file(""));
	return directory([
		["overlay", overlay],
		["overlay-images", imageFiles],
		["overlay-layers", layerFiles],
	]);
}

interface ImageGroup {
	readonly id: string;
	readonly image: StoreImage;
	readonly names: string[];
	readonly documents: Map<string, Uint8Array>;
}

/** An image is known by its configuration: manifests that differ in how its layers are compressed are of one. */
function byId(images: readonly StoreImage[]): Iterable<ImageGroup> {
	const groups = new Map<string, ImageGroup>();
	for (const image of images) {
		const { digest, bytes, config } = image.manifest;
		const id = digestHex(config.digest);
		let group = groups.get(id);
		if (group === undefined) {
			const documents = new Map([
				["manifest", bytes],
				[config.digest, image.configBytes],
			]);
			group = { id, image, names: [], documents };
			groups.set(id, group);
		}
		for (const name of image.names) if (!group.names.includes(name)) group.names.push(name);
		group.documents.set(`manifest-${digest}`, bytes);
	}
	return groups.values();
}
