import type { ByteString } from "../binary/byte-string.ts";

/** A file system that has contents in common with the root file system: it begins within that one and ends behind it. */
export interface FurtherImage {
	/** From the medium's root, without a leading slash. */
	readonly path: ByteString;
	/** Bytes from the root file system's beginning: whole blocks of the medium. */
	readonly start: number;
	readonly byteLength: number;
}
