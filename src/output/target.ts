import type { ByteSource } from "../binary/byte-source.ts";

/** The ISO being written: seekable, and readable where it was written. */
export interface Target extends ByteSource {
	/** Writes at `position`; what it covers replaces what was there. The bytes are taken before it returns. Throws `Oci2isoError` (exit 6) on a full disk. */
	write(position: number, bytes: Uint8Array): void;
	/** As `read`, without waiting. */
	readNow(position: number, length: number, into?: Uint8Array): Uint8Array;
	/** Sets the length; bytes never written are zero. */
	truncate(byteLength: number): void;
}
