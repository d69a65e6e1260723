import { stat } from "node:fs/promises";
import { join } from "node:path";
import { corrupt, throwIfAborted } from "../errors.ts";
import { type ArchiveIndex, indexArchive } from "./archive-index.ts";
import { detectCompression, SIGNATURE_BYTES } from "./compression.ts";
import { errnoOf, unreadable, unsupported } from "./failures.ts";
import { type FileRegion, FileSource, readRegion } from "./file-region.ts";
import { MAX_DOCUMENT_BYTES } from "./json-document.ts";

/** Named files: of a directory, or of an archive without unpacking it. */
export interface FileStore {
	/** The directory's or archive's own path, for errors. */
	readonly path: string;
	/** `name` is relative, with "/" between components; undefined where there is no such regular file. */
	find(name: string): Promise<FileRegion | undefined>;
}

export async function openDirectory(path: string): Promise<FileStore> {
	const status = await statOf(path);
	if (!status.isDirectory())
		throw unsupported(
			"IMAGE_NOT_A_DIRECTORY",
			"not a directory",
			path,
			"use oci-archive: or docker-archive: for a file",
		);
	return {
		path,
		async find(name) {
			const file = join(path, name);
			try {
				const found = await stat(file);
				return found.isFile() ? { path: file, position: 0, byteLength: found.size } : undefined;
			} catch (error) {
				if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
				throw unreadable(error, file);
			}
		},
	};
}

/** Reads the archive's headers once. */
export async function openArchive(path: string, signal?: AbortSignal): Promise<FileStore> {
	const status = await statOf(path);
	if (status.isDirectory())
		throw unsupported("IMAGE_NOT_AN_ARCHIVE", "a directory, not an archive", path, "use oci: or dir: for a directory");
	if (!status.isFile())
		throw unsupported(
			"IMAGE_NOT_AN_ARCHIVE",
			"not a regular file",
			path,
			"store the archive in a file first: it is read at several places",
		);
	const file = await FileSource.open(path, status.size);
	let index: ArchiveIndex;
	try {
		const head = await file.read(0, Math.min(SIGNATURE_BYTES, file.byteLength));
		const compression = detectCompression(head);
		if (compression !== "none")
			throw unsupported(
				"ARCHIVE_COMPRESSED",
				`archive is compressed with ${compression}`,
				path,
				`decompress it first${compression === "gzip" ? " with gunzip" : ""}`,
			);
		index = await indexArchive(file, path, () => throwIfAborted(signal));
	} finally {
		await file.close();
	}
	return {
		path,
		find(name) {
			const member = index.find(name);
			return Promise.resolve(member === undefined ? undefined : { path, ...member });
		},
	};
}

/** A whole file of at most 4 MiB, or undefined where it is absent. Throws `Oci2isoError` DOCUMENT_TOO_LARGE (exit 5). */
export async function readSmallFile(store: FileStore, name: string, signal?: AbortSignal): Promise<Buffer | undefined> {
	const region = await store.find(name);
	if (region === undefined) return undefined;
	if (region.byteLength > MAX_DOCUMENT_BYTES)
		throw corrupt(
			"DOCUMENT_TOO_LARGE",
			`${name} has ${region.byteLength} bytes`,
			store.path,
			`at most ${MAX_DOCUMENT_BYTES} bytes`,
		);
	const pieces: Buffer[] = [];
	for await (const chunk of readRegion(region, signal)) pieces.push(Buffer.from(chunk));
	return Buffer.concat(pieces);
}

async function statOf(path: string) {
	return await stat(path).catch((error: unknown) => {
		throw unreadable(error, path);
	});
}
