import { Turns } from "../../binary/turns.ts";
import { KiB } from "../../binary/units.ts";
import { Oci2isoError } from "../../errors.ts";
import { Crc64 } from "./crc64.ts";
import { LayerContents } from "./layer-contents.ts";
import { type LayerPlace, tarSplitOf } from "./layer-tar-split.ts";

const CHUNK_BYTES = 256 * KiB;

/**
 * The archive that a layer was made of, made again of its files and of what tar-split kept of the archive: the same bytes where no file was changed, which digests must
 * say. Chunks are valid until the next is asked for. Throws as `LayerContents` and `tarSplitOf`.
 */
export async function* layerArchive(
	place: LayerPlace,
	where: string,
	signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
	const contents = new LayerContents(place, where);
	const turns = new Turns(signal);
	const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
	let filled = 0;
	const room = (left: number): Buffer => chunk.subarray(filled, Math.min(CHUNK_BYTES, filled + left));
	try {
		for await (const entries of tarSplitOf(place, where, signal))
			for (const entry of entries) {
				if (turns.areDue()) await turns.next();
				const pieces = entry.kind === "file" ? contents.pieces(entry, room) : copies(entry.base64, room);
				for await (const { byteLength } of pieces) {
					filled += byteLength;
					if (filled < CHUNK_BYTES) continue;
					yield chunk;
					filled = 0;
					if (turns.areDue(CHUNK_BYTES)) await turns.next();
				}
			}
		if (filled > 0) yield chunk.subarray(0, filled);
	} finally {
		contents.close();
	}
}

function* copies(base64: string, room: (left: number) => Buffer): Generator<Buffer, void, undefined> {
	const bytes = Buffer.from(base64, "base64");
	for (let at = 0; at < bytes.byteLength; ) {
		const piece = room(bytes.byteLength - at);
		at += bytes.copy(piece, 0, at);
		yield piece;
	}
}

/**
 * Why the archive is not what it was, of which the first `archiveBytes` are looked at: LAYER_CHANGED (exit 5) with the first file whose checksum is another, or without
 * one where only the archive itself can be. Throws as `layerArchive`.
 */
export async function explainArchive(
	place: LayerPlace,
	where: string,
	archiveBytes: number,
	signal?: AbortSignal,
): Promise<Oci2isoError> {
	const contents = new LayerContents(place, where);
	const turns = new Turns(signal);
	const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
	let left = archiveBytes;
	try {
		for await (const entries of tarSplitOf(place, where, signal))
			for (const entry of entries) {
				left -= entry.byteLength;
				if (left < 0) return otherArchive(where);
				if (entry.kind !== "file") continue;
				const checksum = new Crc64();
				for await (const piece of contents.pieces(entry, (bytes) => chunk.subarray(0, Math.min(bytes, CHUNK_BYTES)))) {
					checksum.update(piece);
					if (turns.areDue(CHUNK_BYTES)) await turns.next();
				}
				if (checksum.finish().toString("base64") !== entry.checksum)
					return contents.changed(entry, "has another content");
			}
		return otherArchive(where);
	} finally {
		contents.close();
	}
}

/** What tar-split made of an archive with sparse files is none that it could be made of again, for podman either. */
function otherArchive(where: string): Oci2isoError {
	return new Oci2isoError({
		code: "LAYER_CHANGED",
		kind: "corrupt",
		what: "the store's files make another archive than the layer's, though none was changed: it had sparse files, or tar-split was changed",
		where,
		remedy: "name the image in its registry, with docker://",
	});
}
