import { inPieces, Turns } from "../binary/turns.ts";
import { Oci2isoError } from "../errors.ts";
import type { TarReader } from "../formats/tar/reader.ts";
import type { Layer } from "./layer.ts";

/**
 * Feeds a layer's archive to `reader`, to its end. `onBlobBytes` is told of the blob's bytes, `onTarBytes` of the archive's once the reader has them.
 * Rejects as both do; an archive that makes no sense is a consequence where the blob is not the one that was stored.
 */
export async function readArchive(
	layer: Layer,
	reader: TarReader,
	signal: AbortSignal | undefined,
	onBlobBytes: (byteLength: number) => void,
	onTarBytes: (byteLength: number) => void | Promise<void>,
): Promise<void> {
	const turns = new Turns(signal);
	try {
		for await (const chunk of layer.tar(signal, onBlobBytes)) {
			await inPieces(chunk, turns, (piece) => reader.push(piece));
			await onTarBytes(chunk.byteLength);
		}
		reader.finish();
	} catch (error) {
		if (error instanceof Oci2isoError && error.kind === "corrupt") await layer.verifyBlob(signal);
		throw error;
	}
}
