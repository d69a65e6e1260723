import { MiB } from "../binary/units.ts";
import type { CodecName } from "../codec/types.ts";
import type { ExtentLayout } from "./extent-layout.ts";
import type { FileLayout } from "./file-layout.ts";
import type { BlockPlace } from "./stored-data.ts";

/** Where a content is, in the form that its image's format has. */
export type ContentLayout = FileLayout | ExtentLayout;

/** Told of every block that is read, once each time; what it throws ends the reading. */
export interface BlockVisitor {
	/** Before its bytes are read; `contentBytes`: what is read of it, where that is not at most a block of the image. */
	block(place: BlockPlace, contentBytes?: number): void;
	/** The bytes of a compressed one, before they are decoded; `codec`: where that is not the image's. */
	compressed(bytes: Uint8Array, place: BlockPlace, codec?: CodecName): void;
	/** So many bytes were decoded beside those that `block` was told of. */
	surplus(byteLength: number): void;
}

/** Reads the contents of an image back, holes as zeros. Layouts are those of the same image. */
export interface Contents {
	/**
	 * The whole content in order, in chunks of at most 1 MiB, each valid until the next is asked for.
	 * Throws `Oci2isoError` CORRUPT_BLOCK, CORRUPT_METADATA or UNEXPECTED_END.
	 */
	read(layout: ContentLayout): AsyncGenerator<Uint8Array>;
	/** The same part by part: bytes of any number, or the length of a hole. */
	parts(layout: ContentLayout, visitor?: BlockVisitor): AsyncGenerator<Uint8Array | number>;
}

const MAX_CHUNK_BYTES = MiB;
const ZEROS = new Uint8Array(MAX_CHUNK_BYTES);

/** Parts as `read` gives them. */
export async function* inChunks(parts: AsyncIterable<Uint8Array | number>): AsyncGenerator<Uint8Array> {
	let holeBytes = 0;
	for await (const part of parts) {
		if (typeof part === "number") holeBytes += part;
		else {
			if (holeBytes > 0) yield* zeros(holeBytes);
			holeBytes = 0;
			for (let at = 0; at < part.byteLength; at += MAX_CHUNK_BYTES) yield part.subarray(at, at + MAX_CHUNK_BYTES);
		}
	}
	yield* zeros(holeBytes);
}

function* zeros(byteLength: number): Generator<Uint8Array> {
	for (let rest = byteLength; rest > 0; rest -= MAX_CHUNK_BYTES) yield ZEROS.subarray(0, rest);
}
