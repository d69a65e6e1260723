/**
 * A block's length on disk as one number of 32 bits: its bytes, with `STORED_RAW` where they are not compressed; 0 is a hole. It is the memory's form, in
 * which lists of blocks are kept: a format that writes lengths otherwise translates them.
 */
export const STORED_RAW = 1 << 24;

export function storedBytes(size: number): number {
	return size & (STORED_RAW - 1);
}

export function blockSize(byteLength: number, isCompressed: boolean): number {
	return isCompressed ? byteLength : byteLength | STORED_RAW;
}
