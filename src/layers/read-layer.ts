import type { BlockDigests } from "../binary/block-digests.ts";
import { inPieces, Turns } from "../binary/turns.ts";
import { Oci2isoError } from "../errors.ts";
import type { TarEntry, TarHandler } from "../formats/tar/entry.ts";
import { TarReader } from "../formats/tar/reader.ts";
import type { Layer } from "../oci/layer.ts";

/** Takes the content of one regular file, in order. */
export interface ContentSink {
	/** The bytes are valid only during the call. */
	data(bytes: Uint8Array): void;
	hole(byteLength: number): void;
	end(): void;
}

/** Is told of an archive's bytes, and of what is in them, before anybody else is. */
export interface ArchiveRecorder extends TarHandler {
	/** The next bytes; the contents that are in them are views of these. */
	piece(bytes: Uint8Array): void;
	endPiece(): void;
}

export type ReadableLayer = Pick<Layer, "digest" | "tar" | "verifyBlob">;

interface ReadLayerOptions {
	readonly signal?: AbortSignal | undefined;
	/** Takes the digests of files' blocks that somebody made in passing. */
	readonly blockDigests?: BlockDigests | undefined;
	readonly recorder?: ArchiveRecorder | undefined;
	/** Told of the blob's bytes as they come. */
	readonly onBlobBytes?: ((byteLength: number) => void) | undefined;
	/** Told of the archive's bytes once they are taken; waited for. */
	readonly onTarBytes?: ((byteLength: number) => void | Promise<void>) | undefined;
}

/**
 * Reads a layer's blob to its end. `sinkOf` is told of every entry, and of the archive's offset where its content begins, and says where a regular file's content goes; undefined: nowhere. Resolves to what the
 * archive says and no tree can hold, in sentences. Rejects as `Layer.tar`, `TarReader` and `sinkOf` throw; an archive that makes no sense is a consequence
 * where the blob is not the one that was stored, so that every reader says the same of a damaged one.
 */
export async function readLayer(
	layer: ReadableLayer,
	sinkOf: (entry: TarEntry, archiveOffset: number) => ContentSink | undefined,
	{ signal, blockDigests, recorder, onBlobBytes, onTarBytes }: ReadLayerOptions,
): Promise<readonly string[]> {
	let sink: ContentSink | undefined;
	const handler = {
		entry: (entry: TarEntry) => {
			recorder?.entry(entry);
			sink = sinkOf(entry, reader.offset);
		},
		data: (bytes: Uint8Array) => {
			recorder?.data(bytes);
			sink?.data(bytes);
		},
		hole: (byteLength: number) => {
			recorder?.hole(byteLength);
			sink?.hole(byteLength);
		},
		endEntry: () => {
			recorder?.endEntry();
			sink?.end();
		},
	};
	const reader = new TarReader(handler, { origin: layer.digest });
	const turns = new Turns(signal);
	try {
		for await (const chunk of layer.tar(signal, onBlobBytes, blockDigests)) {
			await inPieces(chunk, turns, (piece) => {
				recorder?.piece(piece);
				reader.push(piece);
				recorder?.endPiece();
			});
			await onTarBytes?.(chunk.byteLength);
		}
		reader.finish();
	} catch (error) {
		if (error instanceof Oci2isoError && error.kind === "corrupt") await layer.verifyBlob(signal);
		throw error;
	}
	return reader.notes;
}

/** A sink that keeps the content in memory. */
export function keptContent(byteLength: number, onEnd: (content: Buffer) => void): ContentSink {
	const content = Buffer.alloc(byteLength);
	let at = 0;
	return {
		data(bytes) {
			content.set(bytes, at);
			at += bytes.byteLength;
		},
		hole(length) {
			at += length;
		},
		end: () => onEnd(content),
	};
}
