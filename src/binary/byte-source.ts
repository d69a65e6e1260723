import { corrupt, type Oci2isoError } from "../errors.ts";

/** Random-access bytes: a file, a region of one, or memory. */
export interface ByteSource {
	readonly byteLength: number;
	/**
	 * Reads exactly `length` bytes at `position` (both in bytes).
	 * Throws `Oci2isoError` UNEXPECTED_END where the source is shorter.
	 */
	read(position: number, length: number): Promise<Uint8Array>;
}

/** A part of another source, addressed from 0. */
export function region(source: ByteSource, start: number, byteLength: number): ByteSource {
	return {
		byteLength,
		read(position, length) {
			if (position < 0 || length < 0 || position + length > byteLength)
				return Promise.reject(unexpectedEnd(position, length, byteLength));
			return source.read(start + position, length);
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
