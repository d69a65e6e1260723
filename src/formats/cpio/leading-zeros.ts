const ZEROS = Buffer.alloc(65_536);

/** Zero bytes in a row from `start` on: there may be gigabytes of them. */
export function leadingZeros(bytes: Uint8Array, start = 0): number {
	let at = start;
	while (at + ZEROS.byteLength <= bytes.byteLength && ZEROS.equals(bytes.subarray(at, at + ZEROS.byteLength)))
		at += ZEROS.byteLength;
	while (bytes[at] === 0) at++;
	return at - start;
}
