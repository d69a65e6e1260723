import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { KiB } from "../../binary/units.ts";
import { type Oci2isoError, throwIfAborted } from "../../errors.ts";
import { unsupported } from "../failures.ts";
import { openStoreFile, storeUnreadable } from "./store-file.ts";
import { readTarSplit, type TarSplitEntry } from "./tar-split.ts";

/** Where a store keeps a layer. */
export interface LayerPlace {
	readonly root: string;
	readonly driver: string;
	readonly layerId: string;
}

/** What the layer's archive is made of. Throws `Oci2isoError` LAYER_NOT_KEPT (exit 2) where that is not kept, IMAGE_UNREADABLE (exit 2), and as `readTarSplit`. */
export async function* tarSplitOf(
	place: LayerPlace,
	where: string,
	signal?: AbortSignal,
): AsyncGenerator<readonly TarSplitEntry[], void, undefined> {
	const path = pathOf(place);
	const file = await openStoreFile(path);
	if (file === undefined) throw notKept(where);
	try {
		yield* readTarSplit(chunksOf(file, path, signal), `${where}, ${path}`);
	} finally {
		await file.close();
	}
}

/** Each is valid until the next is asked for. */
async function* chunksOf(
	file: FileHandle,
	path: string,
	signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
	const buffer = Buffer.allocUnsafe(256 * KiB);
	for (;;) {
		throwIfAborted(signal);
		const { bytesRead } = await file.read(buffer).catch((error: unknown) => {
			throw storeUnreadable(error, path);
		});
		if (bytesRead === 0) return;
		yield buffer.subarray(0, bytesRead);
	}
}

/** Bytes of the archive. Throws as `tarSplitOf`. */
export async function archiveBytesOf(place: LayerPlace, where: string, signal?: AbortSignal): Promise<number> {
	let sum = 0;
	for await (const entries of tarSplitOf(place, where, signal)) {
		throwIfAborted(signal);
		for (const { byteLength } of entries) sum += byteLength;
	}
	return sum;
}

/** Whether the archive can be made again. Throws IMAGE_UNREADABLE. */
export async function isKept(place: LayerPlace): Promise<boolean> {
	return (await whyNotKept(place, "")) === undefined;
}

/** As LAYER_NOT_KEPT (exit 2); undefined where the archive can be made again. Throws IMAGE_UNREADABLE. */
export async function whyNotKept(place: LayerPlace, where: string): Promise<Oci2isoError | undefined> {
	if (!(await isFile(pathOf(place)))) return notKept(where);
	if (!(await isFile(join(place.root, place.driver, place.layerId, "composefs-data/composefs.blob")))) return undefined;
	return unsupported(
		"LAYER_NOT_KEPT",
		"the store keeps the layer's files by their digests (composefs)",
		where,
		"run `podman save --format oci-archive IMAGE | oci2iso … oci-archive:-`, or name the image in its registry with docker://",
	);
}

async function isFile(path: string): Promise<boolean> {
	const file = await openStoreFile(path);
	await file?.close();
	return file !== undefined;
}

function pathOf({ root, driver, layerId }: LayerPlace): string {
	return join(root, `${driver}-layers`, `${layerId}.tar-split.gz`);
}

/** What podman fetched in parts may have come without what is needed to make the archive again. */
function notKept(where: string) {
	return unsupported(
		"LAYER_NOT_KEPT",
		"the store keeps no archive of the layer (no tar-split), as after a partial pull",
		where,
		'pull the image again with enable_partial_images = "false" in storage.conf, or name it in its registry with docker://',
	);
}
