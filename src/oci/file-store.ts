import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { MiB } from "../binary/units.ts";
import { corrupt, throwIfAborted } from "../errors.ts";
import { type ArchiveIndex, indexArchive } from "./archive-index.ts";
import { type DetectedCompression, detectCompression, SIGNATURE_BYTES } from "./compression.ts";
import { errnoOf, unreadable, unsupported } from "./failures.ts";
import { type FileRegion, FileSource, readRegion } from "./file-region.ts";
import { isStandardInput, openInputStream } from "./input-stream.ts";
import { MAX_DOCUMENT_BYTES } from "./json-document.ts";
import { type SpoolOptions, spoolArchive } from "./spool.ts";

/** Named files: of a directory, or of an archive without unpacking it. */
export interface FileStore {
	/** The directory's or archive's own path, for errors. */
	readonly path: string;
	/** `name` is relative, with "/" between components; undefined where there is no such regular file. */
	find(name: string): Promise<FileRegion | undefined>;
	/** It came through a pipe and cannot be had again. */
	readonly isStream?: boolean;
	/** What was chosen where nothing says how. */
	readonly notes: readonly string[];
	close(): Promise<void>;
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
		notes: [],
		close: () => Promise.resolve(),
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

/**
 * An archive in a file, or one that comes through a pipe or standard input (`-`): its headers are read once. What is no regular file, or is compressed with gzip or zstd, is
 * kept in the temporary directory until `close`. Throws `Oci2isoError` as `openInputStream`, `spoolArchive` and `indexArchive`.
 */
export async function openArchive(path: string, options: SpoolOptions = {}): Promise<FileStore> {
	const file = path === "-" ? "/dev/stdin" : path;
	const status = await statOf(file);
	if (status.isDirectory())
		throw unsupported("IMAGE_NOT_AN_ARCHIVE", "a directory, not an archive", path, "use oci: or dir: for a directory");
	if (!status.isFile()) {
		const where = isStandardInput(path) ? "standard input" : path;
		return { ...(await openArchiveStream(openInputStream(path, status), where, options)), isStream: true };
	}
	if ((await compressionOf(file, status.size)) === "none")
		return await openArchiveFile(file, status.size, path, options.signal);
	return await openArchiveStream(createReadStream(file, { highWaterMark: MiB }), path, options);
}

/** The archive that a stream brings; `where` names it. Throws `Oci2isoError` as `openArchive`. */
export async function openArchiveStream(stream: Readable, where: string, options: SpoolOptions): Promise<FileStore> {
	const { path, index, byteLength, directory, close } = await spoolArchive(stream, where, options);
	const note = `${where}: ${byteLength} bytes of archive were kept in ${directory} while it was read`;
	return { ...storeOf(index, path, where), notes: [note], close };
}

/** An archive that is not compressed, in a regular file. */
export async function openArchiveFile(
	path: string,
	byteLength: number,
	where = path,
	signal?: AbortSignal,
): Promise<FileStore> {
	const file = await FileSource.open(path, byteLength);
	try {
		return storeOf(await indexArchive(file, where, () => throwIfAborted(signal)), path, where);
	} finally {
		await file.close();
	}
}

function storeOf(index: ArchiveIndex, path: string, where: string): FileStore {
	return {
		path: where,
		notes: [],
		close: () => Promise.resolve(),
		find(name) {
			const member = index.find(name);
			return Promise.resolve(member === undefined ? undefined : { path, ...member });
		},
	};
}

async function compressionOf(path: string, byteLength: number): Promise<DetectedCompression> {
	const file = await FileSource.open(path, byteLength);
	try {
		return detectCompression(await file.read(0, Math.min(SIGNATURE_BYTES, byteLength)));
	} finally {
		await file.close();
	}
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
