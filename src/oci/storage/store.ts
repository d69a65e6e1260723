import { dirname, join } from "node:path";
import * as z from "zod";
import { MiB } from "../../binary/units.ts";
import { digestSchema } from "../descriptor.ts";
import type { Digest } from "../digest.ts";
import { MAX_DOCUMENT_BYTES, parseDocument } from "../json-document.ts";
import { readStoreFile, storeNames } from "./store-file.ts";
import { whileUnwritten } from "./store-lock.ts";
import { documentFile } from "./store-names.ts";

/** An entry of images.json. */
export interface StoredImage {
	readonly id: string;
	/** Normalized, with tag or digest, newest first. */
	readonly names: readonly string[];
	/** Of its manifests: the image's, and the index that it was chosen from. */
	readonly digests: ReadonlySet<Digest>;
	/** The uppermost one's id; undefined where there are none. */
	readonly topLayer: string | undefined;
	/** Digests of documents by the names of their files. */
	readonly documents: ReadonlyMap<string, Digest>;
	/** As it is written. */
	readonly created: string | undefined;
}

/** An entry of layers.json. */
export interface StoredLayer {
	readonly id: string;
	readonly parent: string | undefined;
	/** Undefined where only parts of the blob were fetched. */
	readonly diffId: Digest | undefined;
	/** Of the archive; undefined where nobody counted. */
	readonly archiveBytes: number | undefined;
	/** While it is written, and after that went wrong. */
	readonly isIncomplete: boolean;
}

/** One graph root, as it was at one moment. */
export interface Store {
	readonly root: string;
	readonly driver: string;
	/** In the order of images.json. */
	readonly images: readonly StoredImage[];
	readonly layers: ReadonlyMap<string, StoredLayer>;
}

/** Of images.json and layers.json: a hundred thousand of either. */
export const MAX_LIST_BYTES = 64 * MiB;

/** What is part of a path below the store; containers/storage makes 64 hexadecimal digits. */
const id = z.string().regex(/^[0-9A-Za-z_][0-9A-Za-z_.-]{0,127}$/, "an id of letters and digits");
const optionalId = id.or(z.literal("")).nullish();
const optionalDigest = digestSchema.or(z.literal("")).nullish();

const imagesSchema = z
	.array(
		z.object({
			id,
			digest: optionalDigest,
			names: z.array(z.string()).nullish(),
			layer: optionalId,
			created: z.string().nullish(),
			"big-data-digests": z.record(z.string(), z.string()).nullish(),
		}),
	)
	.nullable();

const layersSchema = z
	.array(
		z.object({
			id,
			parent: optionalId,
			"diff-digest": optionalDigest,
			"diff-size": z.int().nullish(),
			flags: z.object({ incomplete: z.unknown() }).nullish(),
		}),
	)
	.nullable();

/**
 * What images and layers there are below a graph root; undefined where it has none of this driver. Throws `Oci2isoError` STORE_INVALID (exit 5), STORE_BUSY (exit 6)
 * and as `readStoreFile`.
 */
export async function readStore(root: string, driver: string, signal?: AbortSignal): Promise<Store | undefined> {
	const [images, layers] = ["images", "layers"].map((kind) => join(root, `${driver}-${kind}`, kind));
	const read = async (path: string): Promise<Buffer | undefined> => readStoreFile(path, MAX_LIST_BYTES);
	const lists = await whileUnwritten(
		`${layers}.lock`,
		() =>
			whileUnwritten(
				`${images}.lock`,
				async () => ({ images: await read(`${images}.json`), layers: await read(`${layers}.json`) }),
				signal,
			),
		signal,
	);
	if (lists.images === undefined && (await storeNames(dirname(`${images}.json`))).length === 0) return undefined;
	const list = (path: string): string => `${path.slice(root.length + 1)}.json`;
	return {
		root,
		driver,
		images: lists.images === undefined ? [] : parseImageList(lists.images, list(images ?? ""), root),
		layers: new Map(
			(lists.layers === undefined ? [] : parseLayerList(lists.layers, list(layers ?? ""), root)).map((layer) => [
				layer.id,
				layer,
			]),
		),
	};
}

/** images.json, called `name` in errors. Throws `Oci2isoError` STORE_INVALID (exit 5). */
export function parseImageList(bytes: Buffer, name: string, where: string): StoredImage[] {
	const origin = { code: "STORE_INVALID", name, where, maxBytes: MAX_LIST_BYTES };
	return (parseDocument(bytes, imagesSchema, origin) ?? []).map((image): StoredImage => {
		const documents = new Map(
			Object.entries(image["big-data-digests"] ?? {}).flatMap(([key, digest]) => {
				const checked = digestSchema.safeParse(digest);
				return checked.success ? [[key, checked.data] as const] : [];
			}),
		);
		const ofManifests = [...documents].flatMap(([key, digest]) => (key.startsWith("manifest") ? [digest] : []));
		return {
			id: image.id,
			names: image.names ?? [],
			digests: new Set([...(image.digest ? [image.digest] : []), ...ofManifests]),
			topLayer: image.layer || undefined,
			documents,
			created: image.created ?? undefined,
		};
	});
}

/** layers.json; as `parseImageList`. */
export function parseLayerList(bytes: Buffer, name: string, where: string): StoredLayer[] {
	const origin = { code: "STORE_INVALID", name, where, maxBytes: MAX_LIST_BYTES };
	return (parseDocument(bytes, layersSchema, origin) ?? []).map((layer) => ({
		id: layer.id,
		parent: layer.parent || undefined,
		diffId: layer["diff-digest"] || undefined,
		archiveBytes: (layer["diff-size"] ?? 0) > 0 ? (layer["diff-size"] ?? 0) : undefined,
		isIncomplete: Boolean(layer.flags?.incomplete),
	}));
}

/** A document of an image by its name; undefined where there is none. Throws as `readStoreFile`. */
export async function readStoredDocument(
	{ root, driver }: Store,
	image: StoredImage,
	name: string,
): Promise<Buffer | undefined> {
	return await readStoreFile(join(root, `${driver}-images`, image.id, documentFile(name)), MAX_DOCUMENT_BYTES);
}
