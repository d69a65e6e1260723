import { ISO_BLOCK_BYTES, KiB } from "../../binary/units.ts";
import { FRAGMENT_COUNT, HEX_DIGITS_PER_FRAGMENT, type MediaChecksum, SKIP_SECTORS } from "./application-use.ts";

/** The unit in which fragment boundaries are noticed, which shapes the fragment sums. */
const BUFFER_BYTES = 32 * KiB;

/** What of an image is hashed, and where on the way the fragment sums are taken. */
export interface HashedRange {
	/** From the image's first byte on. */
	readonly totalBytes: number;
	/** Ascending offsets in bytes, each at most `totalBytes`: a fragment sum is the state of the hash there. */
	readonly sumOffsets: readonly number[];
}

/** For a volume of so many blocks of 2048 bytes. */
export function hashedRange(
	volumeBlocks: number,
	skipSectors: number = SKIP_SECTORS,
	fragmentCount: number = FRAGMENT_COUNT,
): HashedRange {
	const totalBytes = (volumeBlocks - skipSectors) * ISO_BLOCK_BYTES;
	const fragmentBytes = Math.floor(totalBytes / (fragmentCount + 1));
	const sumOffsets: number[] = [];
	let fragment = 0;
	for (let start = 0; start < totalBytes && sumOffsets.length < fragmentCount; start += BUFFER_BYTES) {
		const reached = Math.floor(start / fragmentBytes);
		if (reached === fragment) continue;
		fragment = reached;
		sumOffsets.push(Math.min(start + BUFFER_BYTES, totalBytes));
	}
	return { totalBytes, sumOffsets };
}

/** The first hexadecimal digit of each of the first bytes of an MD5 (in hexadecimal digits), each byte printed without leading zeros. */
export function fragmentSum(md5: string): string {
	let sum = "";
	for (let at = 0; at < 2 * HEX_DIGITS_PER_FRAGMENT; at += 2) {
		const [high, low] = md5.slice(at, at + 2);
		sum += high === "0" ? low : high;
	}
	return sum;
}

/** The checksum of an image from the MD5s at each of the range's `sumOffsets` and, last, at its `totalBytes`. */
export function checksumOfDigests(
	digests: readonly string[],
	skipSectors: number = SKIP_SECTORS,
	fragmentCount: number = FRAGMENT_COUNT,
): MediaChecksum {
	const sums = digests.slice(0, -1).map(fragmentSum);
	return { md5: digests.at(-1) ?? "", skipSectors, supported: false, fragmentSums: sums.join(""), fragmentCount };
}
