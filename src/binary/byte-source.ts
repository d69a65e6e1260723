import { corrupt, type Oci2isoError } from "../errors.ts";

/** Random-access bytes: a file, a region of one, or memory. */
export interface ByteSource {
	readonly byteLength: number;
	/**
	 * Reads exactly `length` bytes at `position` (both in bytes).
	 * `into`, of at least `length` bytes, is memory that the result may be put into: for loops that need no chunk longer than until the next.
	 * Throws `Oci2isoError` UNEXPECTED_END where the source is shorter.
	 */
	read(position: number, length: number, into?: Uint8Array): Promise<Uint8Array>;
}

/** A part of another source, addressed from 0. */
export function region(source: ByteSource, start: number, byteLength: number): ByteSource {
	return {
		byteLength,
		read(position, length, into) {
			if (position < 0 || length < 0 || position + length > byteLength)
				return Promise.reject(unexpectedEnd(position, length, byteLength));
			return source.read(start + position, length, into);
		},
	};
}

export function memorySource(bytes: Uint8Array): ByteSource {
	return {
		byteLength: bytes.byteLength,
		read(position, length) {
			if (position < 0 || length < 0 || position + length > bytes.byteLength)
				return Promise.reject(unexpectedEnd(position, length, bytes.byteLength));
			return Promise.resolve(bytes.subarray(position, position + length));
		},
	};
}

export function unexpectedEnd(position: number, length: number, byteLength: number): Oci2isoError {
	return corrupt(
		"UNEXPECTED_END",
		`cannot read ${length} bytes at offset ${position}`,
		undefined,
		`at most ${byteLength} bytes`,
	);
}
