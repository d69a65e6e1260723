import { closeSync, read, readSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { displayPath } from "../../binary/byte-string.ts";
import { Turns } from "../../binary/turns.ts";
import { KiB } from "../../binary/units.ts";
import { Oci2isoError, throwIfAborted } from "../../errors.ts";
import { errnoOf, unsupported } from "../failures.ts";
import { readRegion } from "../file-region.ts";
import { Crc64 } from "./crc64.ts";
import { FilesBelow, type OpenFile } from "./files-below.ts";
import { openStoreFile, storeUnreadable } from "./store-file.ts";
import { readTarSplit, type TarSplitEntry } from "./tar-split.ts";

/** Where a store keeps a layer. */
export interface LayerPlace {
	readonly root: string;
	readonly driver: string;
	readonly layerId: string;
}

type FileEntry = TarSplitEntry & { readonly kind: "file" };

const CHUNK_BYTES = 256 * KiB;
/** What is read at once: a file of this size costs less than another thread's being asked for it. */
const SMALL_BYTES = 64 * KiB;

const readAsync = promisify(read);

/**
 * The archive that a layer was made of, made again of its files and of what tar-split kept of the archive: the same bytes where no file was changed, which digests must
 * say. Chunks are valid until the next is asked for. Throws `Oci2isoError` LAYER_CHANGED (exit 5) where a file is another or gone, LAYER_NOT_KEPT (exit 2) where the
 * store keeps no archive, IMAGE_UNREADABLE (exit 2), and as `readTarSplit`.
 */
export async function* layerArchive(
	place: LayerPlace,
	where: string,
	signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
	const files = openContents(place, where);
	const turns = new Turns(signal);
	const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
	let filled = 0;
	try {
		for await (const entries of tarSplitOf(place, where, signal)) {
			for (const entry of entries) {
				if (turns.areDue()) await turns.next();
				if (entry.kind === "bytes") {
					const bytes = Buffer.from(entry.base64, "base64");
					for (let at = 0; at < bytes.byteLength; ) {
						const length = bytes.copy(chunk, filled, at);
						at += length;
						filled += length;
						if (filled < CHUNK_BYTES) continue;
						yield chunk;
						filled = 0;
					}
					continue;
				}
				const file = openFile(files, entry, where);
				try {
					for (let at = 0; at < entry.byteLength; ) {
						const length = Math.min(CHUNK_BYTES - filled, entry.byteLength - at);
						await readInto(file, chunk.subarray(filled, filled + length), at, entry, where);
						at += length;
						filled += length;
						if (filled < CHUNK_BYTES) continue;
						yield chunk;
						throwIfAborted(signal);
						filled = 0;
					}
				} finally {
					closeSync(file.fd);
				}
			}
		}
		if (filled > 0) yield chunk.subarray(0, filled);
	} finally {
		files.close();
	}
}

/** Bytes of the archive that `layerArchive` gives. Throws as it does, but looks at no file. */
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
	const file = await openStoreFile(tarSplitPath(place));
	await file?.close();
	return file !== undefined;
}

/** The first file whose content is not what the archive had, by its checksum, as LAYER_CHANGED (exit 5); undefined where all are. Throws as `layerArchive`. */
export async function findChangedFile(
	place: LayerPlace,
	where: string,
	signal?: AbortSignal,
): Promise<Oci2isoError | undefined> {
	const files = openContents(place, where);
	const turns = new Turns(signal);
	const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
	try {
		for await (const entries of tarSplitOf(place, where, signal))
			for (const entry of entries) {
				if (entry.kind !== "file") continue;
				const file = openFile(files, entry, where);
				try {
					const checksum = new Crc64();
					for (let at = 0; at < entry.byteLength; at += CHUNK_BYTES) {
						const piece = chunk.subarray(0, Math.min(CHUNK_BYTES, entry.byteLength - at));
						await readInto(file, piece, at, entry, where);
						checksum.update(piece);
						if (turns.areDue(CHUNK_BYTES)) await turns.next();
					}
					if (checksum.finish().toString("base64") !== entry.checksum)
						return changed(entry, "has another content", where);
				} finally {
					closeSync(file.fd);
				}
			}
		return undefined;
	} finally {
		files.close();
	}
}

function tarSplitPath({ root, driver, layerId }: LayerPlace): string {
	return join(root, `${driver}-layers`, `${layerId}.tar-split.gz`);
}

async function* tarSplitOf(place: LayerPlace, where: string, signal: AbortSignal | undefined) {
	const path = tarSplitPath(place);
	const file = await openStoreFile(path);
	if (file === undefined) throw notKept(where);
	const { size: byteLength } = await file.stat();
	await file.close();
	yield* readTarSplit(readRegion({ path, position: 0, byteLength }, signal), `${where}, ${path}`);
}

/** What podman fetched in parts may have come without what is needed to make the archive again. */
export function notKept(where: string): Oci2isoError {
	return unsupported(
		"LAYER_NOT_KEPT",
		"the store keeps no archive of the layer (no tar-split), as after a partial pull",
		where,
		'pull the image again with enable_partial_images = "false" in storage.conf, or name it in its registry with docker://',
	);
}

function openContents({ root, driver, layerId }: LayerPlace, where: string): FilesBelow {
	const [path, inner] = driver === "vfs" ? [join(root, "vfs/dir"), [layerId]] : [join(root, driver), [layerId, "diff"]];
	try {
		return new FilesBelow(path, inner);
	} catch (error) {
		if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTDIR") throw storeUnreadable(error, path);
		throw layerChanged("the layer's directory is gone", where);
	}
}

function openFile(files: FilesBelow, entry: FileEntry, where: string): OpenFile {
	let file: OpenFile | undefined;
	try {
		file = files.open(entry.path);
	} catch (error) {
		const code = errnoOf(error) ?? "";
		if (["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"].includes(code))
			throw changed(entry, `is not there (${code})`, where);
		throw storeUnreadable(error, `${where}, ${displayPath(entry.path)}`);
	}
	if (file === undefined) throw changed(entry, "is no regular file", where);
	if (file.byteLength === entry.byteLength) return file;
	closeSync(file.fd);
	throw changed(entry, `has ${file.byteLength} bytes, not ${entry.byteLength}`, where);
}

async function readInto(
	file: OpenFile,
	target: Buffer,
	position: number,
	entry: FileEntry,
	where: string,
): Promise<void> {
	try {
		for (let done = 0; done < target.byteLength; ) {
			const left = target.byteLength - done;
			const length =
				entry.byteLength <= SMALL_BYTES
					? readSync(file.fd, target, done, left, position + done)
					: (await readAsync(file.fd, target, done, left, position + done)).bytesRead;
			if (length === 0) throw changed(entry, "became shorter while it was read", where);
			done += length;
		}
	} catch (error) {
		throw storeUnreadable(error, `${where}, ${displayPath(entry.path)}`);
	}
}

function changed({ path }: FileEntry, how: string, where: string): Oci2isoError {
	return layerChanged(`the store's file ${displayPath(path)} ${how}`, where);
}

export function layerChanged(what: string, where: string): Oci2isoError {
	return new Oci2isoError({
		code: "LAYER_CHANGED",
		kind: "corrupt",
		what: `${what}: it was changed since the image was stored`,
		where,
		remedy: "try again if podman was changing the image; else remove the image and pull or build it again",
	});
}
