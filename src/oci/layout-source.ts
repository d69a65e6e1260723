import * as z from "zod";
import { corrupt } from "../errors.ts";
import { type ImageSource, readManifest } from "./blob-source.ts";
import { type Descriptor, refNameOf } from "./descriptor.ts";
import { type Digest, digestAlgorithm, digestHex } from "./digest.ts";
import { unsupported } from "./failures.ts";
import { type FileRegion, readRegion } from "./file-region.ts";
import { type FileStore, readSmallFile } from "./file-store.ts";
import { parseDocument } from "./json-document.ts";
import { type ImageIndex, indexSchema } from "./manifest.ts";
import type { LayoutSelection } from "./reference.ts";
import { sizeMismatch } from "./verified-blob.ts";

const markerSchema = z.object({ imageLayoutVersion: z.string() });

/** An image layout (OCI image-spec image-layout.md) in a directory or an archive. */
export function layoutSource(store: FileStore, selection: LayoutSelection): ImageSource {
	const notes: string[] = [...store.notes];
	const blobs = layoutBlobs(store);
	return {
		...blobs,
		notes,
		async root(signal) {
			await checkMarker(store, notes, signal);
			const index = await readLayoutIndex(store, signal);
			if (index === undefined) throw await notALayout(store);
			const chosen = select(index, selection, store.path);
			return chosen.kind === "index" ? chosen : await readManifest(blobs, chosen.descriptor, signal);
		},
		close: () => store.close(),
	};
}

/** The blobs below `blobs/ALGORITHM/`. */
export function layoutBlobs(store: FileStore): Pick<ImageSource, "blob" | "part" | "has"> {
	return storedBlobs(store, (digest) => store.find(layoutPath(digest)));
}

export function layoutPath(digest: Digest): string {
	return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

/** Blobs that are files of `store`, each where `find` says. Throws BLOB_MISSING and BLOB_SIZE_MISMATCH. */
export function storedBlobs(
	store: FileStore,
	find: (digest: Digest) => Promise<FileRegion | undefined>,
): Pick<ImageSource, "blob" | "part" | "has"> {
	const regionOf = async ({ digest, size }: Descriptor): Promise<FileRegion> => {
		const region = await find(digest);
		if (region === undefined) throw blobMissing(digest, store.path);
		if (region.byteLength !== size) throw sizeMismatch(`${region.byteLength}`, size, digest);
		return region;
	};
	return {
		async *blob(descriptor, signal) {
			yield* readRegion(await regionOf(descriptor), signal);
		},
		async *part(descriptor, { start, end }, signal) {
			const { path, position } = await regionOf(descriptor);
			yield* readRegion({ path, position: position + start, byteLength: end - start }, signal);
		},
		has: async ({ digest, size }) => (await find(digest))?.byteLength === size,
	};
}

function blobMissing(digest: Digest, where: string) {
	return corrupt("BLOB_MISSING", `blob ${digest} is missing`, where, "every blob that the manifest names");
}

/** index.json, or undefined where there is none. */
export async function readLayoutIndex(store: FileStore, signal?: AbortSignal): Promise<ImageIndex | undefined> {
	const bytes = await readSmallFile(store, "index.json", signal);
	if (bytes === undefined) return undefined;
	const origin = { code: "LAYOUT_INVALID", name: "index.json", where: store.path };
	return { kind: "index", name: "index.json", manifests: parseDocument(bytes, indexSchema, origin).manifests };
}

async function checkMarker(store: FileStore, notes: string[], signal: AbortSignal | undefined): Promise<void> {
	const bytes = await readSmallFile(store, "oci-layout", signal);
	if (bytes === undefined) {
		notes.push(`${store.path}: the file oci-layout is missing; read it as version 1.0.0`);
		return;
	}
	const origin = { code: "LAYOUT_INVALID", name: "oci-layout", where: store.path };
	const { imageLayoutVersion } = parseDocument(bytes, markerSchema, origin);
	if (!/^1\./.test(imageLayoutVersion))
		throw corrupt(origin.code, `image layout has version "${imageLayoutVersion.slice(0, 32)}"`, store.path, "1.0.0");
}

type Selected = { readonly kind: "one"; readonly descriptor: Descriptor } | ImageIndex;

/** One entry of index.json; or several that differ in nothing but their platform, as an index to choose from. */
function select({ manifests }: ImageIndex, selection: LayoutSelection, where: string): Selected {
	const { tag, digest, sourceIndex } = selection;
	const matching = manifests.filter(
		(entry, position) =>
			(tag === undefined || refNameOf(entry) === tag) &&
			(digest === undefined || entry.digest === digest) &&
			(sourceIndex === undefined || position === sourceIndex),
	);
	const [first] = matching;
	if (first === undefined) throw notFound(selection, manifests, where);
	if (matching.every((entry) => entry.digest === first.digest)) return { kind: "one", descriptor: first };
	const sameName = matching.every((entry) => refNameOf(entry) === refNameOf(first));
	if (sameName && matching.every(({ platform }) => platform?.architecture))
		return { kind: "index", name: "index.json", manifests: matching };
	throw unsupported(
		"IMAGE_AMBIGUOUS",
		`${matching.length} images match`,
		where,
		`add one of ${listImages(matching)} to the reference`,
	);
}

function notFound({ tag, digest, sourceIndex }: LayoutSelection, manifests: readonly Descriptor[], where: string) {
	const asked = [
		tag === undefined ? undefined : `tag "${tag.slice(0, 128)}"`,
		digest === undefined ? undefined : `digest ${digest}`,
		sourceIndex === undefined ? undefined : `position ${sourceIndex}`,
	].filter((part) => part !== undefined);
	const what = asked.length === 0 ? "image layout holds no image" : `no image with ${asked.join(" and ")}`;
	return unsupported(
		"IMAGE_NOT_FOUND",
		what,
		where,
		manifests.length === 0 ? undefined : `there is ${listImages(manifests)}`,
	);
}

const MAX_LISTED = 20;

function listImages(manifests: readonly Descriptor[]): string {
	const digestsOf = new Map<string | undefined, Set<string>>();
	for (const entry of manifests) {
		const name = refNameOf(entry);
		digestsOf.set(name, (digestsOf.get(name) ?? new Set()).add(entry.digest));
	}
	const names = [
		...new Set(
			manifests.map((entry) => {
				const name = refNameOf(entry);
				return name && digestsOf.get(name)?.size === 1 ? `:${name}` : `@${entry.digest}`;
			}),
		),
	];
	const listed = names.slice(0, MAX_LISTED).join(", ");
	return names.length > MAX_LISTED ? `${listed} and ${names.length - MAX_LISTED} more` : listed;
}

async function notALayout(store: FileStore) {
	const isOther = (await store.find("manifest.json")) !== undefined;
	return unsupported(
		"IMAGE_NOT_FOUND",
		"no OCI image layout: index.json is missing",
		store.path,
		isOther ? "it looks like dir: or docker-archive:" : undefined,
	);
}
