import { type FileHandle, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { addAbortSignal, type Readable } from "node:stream";
import { GiB } from "../binary/units.ts";
import { corrupt, Oci2isoError, throwIfAborted } from "../errors.ts";
import { makeScratchDirectory, scratchError } from "../output/scratch.ts";
import { type ArchiveIndex, ArchiveIndexer } from "./archive-index.ts";
import { isInflatable } from "./compression.ts";
import { unreadable, unsupported } from "./failures.ts";
import { decompress } from "./inflate-layer.ts";
import { sniff } from "./layer.ts";

/** Bytes of an archive that is kept, beyond which it is taken for a decompression bomb. */
const MAX_SPOOLED_BYTES = 64 * GiB;

/** An archive in the temporary directory. It has no name there, so that nothing is left behind even by a process that is killed. */
export interface Spool {
	/** Names it for this process, until `close`. */
	readonly path: string;
	readonly byteLength: number;
	readonly index: ArchiveIndex;
	/** Where its bytes are. */
	readonly directory: string;
	close(): Promise<void>;
}

export interface SpoolOptions {
	readonly signal?: AbortSignal | undefined;
	/** Told how many bytes are there so far. */
	readonly onKept?: ((byteLength: number) => void) | undefined;
	/** Absent: 64 GiB. */
	readonly maxBytes?: number;
}

/**
 * Keeps a stream's archive, decompressed where it is gzip or zstd: layers are read from the top down and documents before them, whatever order the archive has.
 * `where` names it in errors. Throws `Oci2isoError` ARCHIVE_EMPTY, ARCHIVE_INVALID, ARCHIVE_TRUNCATED, ARCHIVE_COMPRESSION_BROKEN, ARCHIVE_TOO_LARGE (exit 5),
 * ARCHIVE_COMPRESSED (exit 2) for another compression, TEMPORARY_DIRECTORY_FULL (exit 6), INTERRUPTED.
 */
export async function spoolArchive(stream: Readable, where: string, options: SpoolOptions = {}): Promise<Spool> {
	const { signal } = options;
	if (signal !== undefined) addAbortSignal(signal, stream);
	const input = chunksOf(stream, where);
	try {
		const { compression, chunks } = await sniff(input);
		if (compression !== "none" && !isInflatable(compression))
			throw unsupported(
				"ARCHIVE_COMPRESSED",
				`archive is compressed with ${compression}`,
				where,
				`decompress it on its way: ${compression} -dc FILE | oci2iso build oci-archive:-`,
			);
		return await keep(decompress(compression, chunks, where), where, options);
	} catch (error) {
		throwIfAborted(signal);
		if (!(error instanceof Oci2isoError) || !error.code.startsWith("LAYER_")) throw error;
		throw corrupt(error.code.replace("LAYER_", "ARCHIVE_"), error.what, where);
	} finally {
		await input.return();
		stream.destroy();
	}
}

async function* chunksOf(stream: Readable, where: string): AsyncGenerator<Uint8Array, void, undefined> {
	let isEmpty = true;
	try {
		for await (const chunk of stream as AsyncIterable<Uint8Array>) {
			isEmpty = false;
			yield chunk;
		}
	} catch (error) {
		throw unreadable(error, where);
	}
	if (isEmpty)
		throw corrupt("ARCHIVE_EMPTY", "there is nothing in it", where, "an image archive: see what was to write it");
}

async function keep(
	chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
	where: string,
	{ signal, onKept, maxBytes = MAX_SPOOLED_BYTES }: SpoolOptions,
): Promise<Spool> {
	const { file, directory } = await openUnnamed();
	try {
		let byteLength = 0;
		const indexer = new ArchiveIndexer(where);
		for await (const chunk of chunks) {
			throwIfAborted(signal);
			byteLength += chunk.byteLength;
			if (byteLength > maxBytes) throw tooLarge(where, maxBytes);
			// whoever writes padding behind the end is heard out
			if (indexer.isAtEnd) continue;
			indexer.push(chunk);
			await writeFully(file, chunk, directory);
			onKept?.(byteLength);
		}
		const path = `/proc/self/fd/${file.fd}`;
		return { path, index: indexer.finish(), byteLength, directory, close: () => file.close() };
	} catch (error) {
		await file.close();
		throw error;
	}
}

async function openUnnamed(): Promise<{ readonly file: FileHandle; readonly directory: string }> {
	const { path, remove } = makeScratchDirectory("archive");
	try {
		return { file: await open(join(path, "archive.tar"), "wx+", 0o600), directory: dirname(path) };
	} catch (error) {
		throw scratchError(path, error);
	} finally {
		remove();
	}
}

async function writeFully(file: FileHandle, bytes: Uint8Array, directory: string): Promise<void> {
	try {
		for (let done = 0; done < bytes.byteLength; ) done += (await file.write(bytes, done)).bytesWritten;
	} catch (error) {
		throw scratchError(directory, error);
	}
}

function tooLarge(where: string, maxBytes: number): Oci2isoError {
	return new Oci2isoError({
		code: "ARCHIVE_TOO_LARGE",
		kind: "corrupt",
		what: "archive is larger",
		where,
		expected: `at most ${maxBytes} bytes of one that is compressed or comes through a pipe`,
		remedy: "store it uncompressed in a file, which is read where it is",
	});
}
