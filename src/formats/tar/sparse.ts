/** A stretch of a sparse file that is recorded; between the stretches are holes. */
export interface SparseSegment {
	/** Byte offset in the logical file. */
	readonly offset: number;
	readonly byteLength: number;
}

/** Pairs of offset and length, or undefined where a number is missing. */
export function parseSparsePairs(numbers: readonly number[]): SparseSegment[] | undefined {
	if (numbers.length % 2 !== 0) return undefined;
	const segments: SparseSegment[] = [];
	for (let i = 0; i < numbers.length; i += 2)
		segments.push({ offset: numbers[i] ?? 0, byteLength: numbers[i + 1] ?? 0 });
	return segments;
}

/**
 * Why a map is not one of a file of `realsize` bytes of which `recorded` are in the archive, or undefined when it is.
 * Stretches must come in order, not overlap, and end within the file.
 */
export function sparseMapFault(
	segments: readonly SparseSegment[],
	realsize: number,
	recorded: number,
): string | undefined {
	let end = 0;
	let total = 0;
	for (const { offset, byteLength } of segments) {
		if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(byteLength) || offset < 0 || byteLength < 0)
			return "numbers out of range";
		if (offset < end) return `a stretch at ${offset} after one that ends at ${end}`;
		end = offset + byteLength;
		total += byteLength;
		if (end > realsize) return `a stretch that ends at ${end} in a file of ${realsize} bytes`;
	}
	return total === recorded ? undefined : `${total} bytes of data where ${recorded} are recorded`;
}

const NEWLINE = 0x0a;

/**
 * Reads the map that format 1.0 puts in front of the data: decimal numbers, a newline after each, the count of pairs first.
 * Fed in blocks of 512 bytes, because the map is padded to them.
 */
export class SparseMapParser {
	readonly #numbers: number[] = [];
	#digits = "";
	#pairCount: number | undefined;

	/** Returns the whole map after the block that completes it, undefined before, and "malformed" for anything else. */
	block(bytes: Uint8Array): SparseSegment[] | "malformed" | undefined {
		for (const byte of bytes) {
			if (byte !== NEWLINE) {
				if (byte < 0x30 || byte > 0x39 || this.#digits.length >= 16) return "malformed";
				this.#digits += String.fromCharCode(byte);
				continue;
			}
			if (this.#digits === "") return "malformed";
			const number = Number(this.#digits);
			this.#digits = "";
			if (this.#pairCount === undefined) this.#pairCount = number;
			else this.#numbers.push(number);
			if (this.#numbers.length === 2 * this.#pairCount) return parseSparsePairs(this.#numbers) ?? "malformed";
		}
		return undefined;
	}
}
