import type { ByteString } from "../binary/byte-string.ts";

/** A file of the medium that neither boots it nor is in its root file system: root's, mode 0644. */
export interface MediumFile {
	/** From the medium's root, without a leading slash. */
	readonly path: ByteString;
	readonly byteLength: number;
	/** Files of the same key have the same bytes, and are stored once. */
	readonly contentKey: string;
	/** Exactly `byteLength` bytes; each chunk is valid until the next is asked for. May be called again. */
	stream(signal?: AbortSignal): AsyncIterable<Uint8Array>;
}
