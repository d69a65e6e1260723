import { elementAt } from "../binary/element-at.ts";
import { inTurns } from "../binary/turns.ts";
import { ISO_PATHS } from "../boot/iso-paths.ts";
import type { Findings } from "../findings/findings.ts";
import { readLayer } from "../layers/read-layer.ts";
import { RecordedLayers } from "../layers/recorded-layers.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import { parseImageConfig } from "../oci/image-config.ts";
import { MAX_LAYERS, treeLimits } from "../oci/image-limits.ts";
import { MAX_DOCUMENT_BYTES } from "../oci/json-document.ts";
import { parseManifest, requireImage } from "../oci/manifest.ts";
import {
	MAX_LIST_BYTES,
	parseImageList,
	parseLayerList,
	type StoredImage,
	type StoredLayer,
} from "../oci/storage/store.ts";
import { documentFile } from "../oci/storage/store-names.ts";
import { containerStore, type StoreImage } from "../payload/container-store.ts";
import type { CheckedRoot } from "../rootfs/root-file-system.ts";
import type { RootDirectory, RootFile } from "../rootfs/root-inode.ts";
import { MetadataBudget } from "../tree/metadata-budget.ts";
import { directoryAt, entryAt, type FoundStore, storeInvalid } from "./container-store.ts";
import { ContentDigest } from "./content-digest.ts";
import { DigestTable } from "./digest-table.ts";
import { digestContents } from "./digested-contents.ts";
import { checkFidelity } from "./fidelity-check.ts";
import { type ExpectedPayload, expectedImages } from "./payload-check.ts";
import { storeArchive } from "./store-archive.ts";

const LAYERS = "overlay-layers/layers.json";
const IMAGES = "overlay-images/images.json";

/**
 * Container storage that a build made: every layer's archive is made again of it and has its digest, and the store that is made of these archives and of the images'
 * documents is the one that is there, every inode and every byte. With `expected`, its images are these and no others.
 */
export async function checkStore(
	image: Pick<CheckedRoot, "format" | "contents">,
	{ store, path }: FoundStore,
	contentDigestOf: (file: RootFile) => string | undefined,
	expected: readonly ExpectedPayload[] | undefined,
	findings: Findings,
	signal?: AbortSignal,
): Promise<void> {
	const where = path === "" ? `/${ISO_PATHS.store}` : `/${path}`;
	const read = (name: string, maxBytes: number): Promise<Buffer> => readFile(image, store, name, maxBytes, where);
	const list = parseImageList(await read(IMAGES, MAX_LIST_BYTES), IMAGES, where);
	const layers = parseLayerList(await read(LAYERS, MAX_LIST_BYTES), LAYERS, where);
	const images = await storeImages(list, read, where);
	checkExpected(list, expected, where, findings);
	const tables = layers.map(() => new DigestTable());
	const own = new DigestTable();
	tables.push(own);
	const contents = digestContents();
	const digested = (number: number, entry: number, parts: readonly Uint8Array[]): number => {
		const byteLength = parts.reduce((sum, part) => sum + part.byteLength, 0);
		const digest = new ContentDigest(byteLength);
		for (const part of parts) digest.update(part);
		elementAt(tables, number).set(entry, digest.finish());
		return byteLength;
	};
	const numbers = new Map(layers.map(({ diffId }, number) => [diffId, number]));
	const { maxMetadataBytes } = treeLimits(undefined);
	const recorded = new RecordedLayers({
		wanted: new Set(layers.keys()),
		budget: new MetadataBudget({ maxMetadataBytes: Math.floor(maxMetadataBytes / 2) }),
		keep: async ({ layer, entry }, chunks) => {
			const parts: Buffer[] = [];
			for await (const chunk of chunks) parts.push(Buffer.from(chunk));
			return digested(layer, entry, parts);
		},
		signal,
	});
	let added = 0;
	try {
		const made = await containerStore({
			images,
			epochSeconds: epochOf(list, where),
			signal,
			addFile: async (bytes) => {
				const entry = added++;
				return { layer: layers.length, entry, byteLength: digested(layers.length, entry, [bytes]) };
			},
			async layerOf(diffId) {
				const number = numbers.get(diffId);
				if (number === undefined) throw storeInvalid(`it has no layer ${diffId}`, where);
				const layer = {
					digest: diffId,
					tar: () =>
						storeArchive({ contents: image.contents, diffId, where, ...partsOf(store, layers, number, where) }, signal),
					verifyBlob: () => Promise.resolve(),
				};
				const recording = recorded.begin(number, layer);
				if (recording !== undefined) {
					let archiveBytes = 0;
					const table = elementAt(tables, number);
					await readLayer(
						layer,
						({ type, byteLength, index }) =>
							type === "file" ? contents.sink(byteLength, (digest) => table.set(index, digest)) : undefined,
						{
							signal,
							recorder: recording,
							onTarBytes: (bytes) => {
								archiveBytes += bytes;
							},
						},
					);
					contents.finish();
					await recorded.end(number, layer, recording, archiveBytes);
				}
				const found = recorded.get(number);
				if (found === undefined) throw storeInvalid(`it has no layer ${diffId}`, where);
				return found;
			},
		});
		const expectedTree = {
			root: made,
			digestOf: ({ layer, entry }: { layer: number; entry: number }) => tables[layer]?.get(entry),
			hasOwnTime: () => true,
			excludedPaths: 0,
			droppedXattrs: [],
			notes: [],
		};
		await inTurns(
			checkFidelity(expectedTree, { format: image.format, root: store }, contentDigestOf, findings),
			signal,
		);
	} finally {
		contents.close();
	}
	findings.detail = `${list.flatMap(({ names }) => names).join(", ")}: ${layers.length} layers, ${findings.detail}`;
}

function checkExpected(
	list: readonly StoredImage[],
	expected: readonly ExpectedPayload[] | undefined,
	where: string,
	findings: Findings,
): void {
	if (expected === undefined) return;
	const held = new Map(list.flatMap((each) => each.names.map((name) => [name, each] as const)));
	for (const { name, manifestDigest } of expected) {
		const found = held.get(name);
		if (found?.documents.has(`manifest-${manifestDigest}`) !== true)
			findings.fault(
				found === undefined ? "the image is not there" : "it is another image",
				`${where}, ${name}`,
				manifestDigest,
			);
	}
	if (held.size > expected.length)
		findings.fault(`it has ${held.size} images`, where, expectedImages(expected, "storage"));
}

/** Of each manifest; an image's documents have their digests. */
async function storeImages(
	list: readonly StoredImage[],
	read: (name: string, maxBytes: number) => Promise<Buffer>,
	where: string,
): Promise<StoreImage[]> {
	const images: StoreImage[] = [];
	for (const { id, names, documents } of list) {
		const document = async (name: string, digest: Digest): Promise<Buffer> => {
			const bytes = await read(`overlay-images/${id}/${documentFile(name)}`, MAX_DOCUMENT_BYTES);
			const actual = digestOf(bytes);
			if (actual !== digest) throw storeInvalid(`${name} has the digest ${actual}`, `${where}, image ${id}`, digest);
			return bytes;
		};
		for (const [name, digest] of documents) {
			if (name !== `manifest-${digest}`) continue;
			const manifest = parseManifest(await document(name, digest), digest, undefined);
			if (manifest.kind === "index") throw storeInvalid("it has an index", `${where}, image ${id}`);
			requireImage(manifest);
			const { config, layers } = manifest;
			if (layers.length > MAX_LAYERS) throw storeInvalid(`it has ${layers.length} layers`, `${where}, image ${id}`);
			const configBytes = await document(config.digest, config.digest);
			const { diffIds } = parseImageConfig(configBytes, config.digest, layers.length);
			images.push({ names, manifest, configBytes, diffIds });
		}
	}
	return images;
}

function epochOf([image]: readonly StoredImage[], where: string): number {
	const milliseconds = Date.parse(image?.created ?? "");
	if (!Number.isSafeInteger(milliseconds / 1000)) throw storeInvalid("images have no time", where);
	return milliseconds / 1000;
}

/** The first place of a layer that several images may have at others. */
function partsOf(store: RootDirectory, layers: readonly StoredLayer[], number: number, where: string) {
	const { id } = elementAt(layers, number);
	const diff = directoryAt(store, `overlay/${id}/diff`);
	const tarSplit = entryAt(store, `overlay-layers/${id}.tar-split.gz`);
	if (diff === undefined || tarSplit?.type !== "file") throw storeInvalid("a layer is not whole", `${where}, ${id}`);
	return { diff, tarSplit };
}

async function readFile(
	{ contents }: Pick<CheckedRoot, "contents">,
	store: RootDirectory,
	name: string,
	maxBytes: number,
	where: string,
): Promise<Buffer> {
	const file = entryAt(store, name);
	if (file?.type !== "file" || file.byteLength > maxBytes)
		throw storeInvalid("a file is missing or too large", `${where}/${name}`, `a file of at most ${maxBytes} bytes`);
	const chunks: Uint8Array[] = [];
	for await (const chunk of contents.read(file.layout)) chunks.push(Buffer.from(chunk));
	return Buffer.concat(chunks);
}
