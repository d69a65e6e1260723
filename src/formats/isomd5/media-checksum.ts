import { createHash } from "node:crypto";
import type { ByteSource } from "../../binary/byte-source.ts";
import { ISO_BLOCK_BYTES, MiB } from "../../binary/units.ts";
import { corrupt } from "../../errors.ts";
import {
	APPLICATION_USE_BYTES,
	decodeApplicationUse,
	encodeApplicationUse,
	type MediaChecksum,
	SKIP_SECTORS,
} from "./application-use.ts";
import { checksumOfDigests, type HashedRange, hashedRange } from "./hashed-range.ts";

const DESCRIPTOR_OFFSET = 16 * ISO_BLOCK_BYTES;
/** Of the application-use area within the image: ECMA-119 8.4.32, BP 884 of the primary volume descriptor. */
export const APPLICATION_USE_OFFSET = DESCRIPTOR_OFFSET + 883;
/** Of an image up to the end of the descriptor that holds the checksum. */
export const CHECKSUM_HEAD_BYTES = DESCRIPTOR_OFFSET + ISO_BLOCK_BYTES;
/** ECMA-119 8.4.8, BP 81; the big-endian half is what `implantisomd5` reads. */
const SPACE_SIZE_BE_OFFSET = 84;
const READ_BYTES = 1 * MiB;

/** Called with bytes hashed and bytes to hash. */
export type ChecksumProgress = (doneBytes: number, totalBytes: number) => void;

type ChecksumVerdict = "pass" | "fail" | "none";

/**
 * The application-use area for the primary volume descriptor, 512 bytes, as `implantisomd5` would write it; what the area
 * holds now does not matter. Throws `Oci2isoError` NOT_AN_ISO, or UNEXPECTED_END where the image is shorter than it says.
 */
export async function computeMediaChecksum(source: ByteSource, onProgress?: ChecksumProgress): Promise<Uint8Array> {
	const range = hashedRange(await volumeBlocks(source, SKIP_SECTORS));
	return encodeApplicationUse(checksumOfDigests(await hashImage(source, range, onProgress)));
}

/** What a checksum in an image is, and of what. */
interface StoredChecksum {
	readonly stored: MediaChecksum;
	readonly range: HashedRange;
}

/** Undefined where the application-use area holds none. Throws as `computeMediaChecksum`. */
export async function storedChecksum(source: ByteSource): Promise<StoredChecksum | undefined> {
	await volumeBlocks(source, SKIP_SECTORS);
	const stored = decodeApplicationUse(await source.read(APPLICATION_USE_OFFSET, APPLICATION_USE_BYTES));
	if (stored === undefined) return undefined;
	const { skipSectors, fragmentCount } = stored;
	return { stored, range: hashedRange(await volumeBlocks(source, skipSectors), skipSectors, fragmentCount) };
}

/**
 * Checks an image against the checksum that its application-use area holds; `none` where it holds none. `digested` resolves to the MD5s at each of the
 * range's `sumOffsets` and, last, at its `totalBytes`; where it is absent, or resolves to nothing, they are made here.
 */
export async function verifyMediaChecksum(
	source: ByteSource,
	onProgress?: ChecksumProgress,
	digested?: () => Promise<readonly string[] | undefined>,
): Promise<ChecksumVerdict> {
	const found = await storedChecksum(source);
	if (found === undefined) return "none";
	const { stored, range } = found;
	const digests = (await digested?.()) ?? (await hashImage(source, range, onProgress));
	const computed = checksumOfDigests(digests, stored.skipSectors, stored.fragmentCount);
	return computed.md5 === stored.md5 && computed.fragmentSums === stored.fragmentSums ? "pass" : "fail";
}

async function hashImage(
	source: ByteSource,
	{ totalBytes, sumOffsets }: HashedRange,
	onProgress: ChecksumProgress | undefined,
): Promise<readonly string[]> {
	const hash = createHash("md5");
	const digests: string[] = [];
	const buffer = new Uint8Array(Math.min(READ_BYTES, totalBytes));
	for (let start = 0; start < totalBytes; start += READ_BYTES) {
		const bytes = await readBlanked(source, start, Math.min(READ_BYTES, totalBytes - start), buffer);
		const end = start + bytes.byteLength;
		let hashed = start;
		for (let offset = sumOffsets[digests.length]; offset !== undefined && offset <= end; ) {
			hash.update(bytes.subarray(hashed - start, offset - start));
			digests.push(hash.copy().digest("hex"));
			hashed = offset;
			offset = sumOffsets[digests.length];
		}
		hash.update(bytes.subarray(hashed - start));
		onProgress?.(end, totalBytes);
	}
	return [...digests, hash.digest("hex")];
}

/** As the primary volume descriptor says; enough that there is something to hash. */
async function volumeBlocks(source: ByteSource, skipSectors: number): Promise<number> {
	const descriptor =
		source.byteLength < DESCRIPTOR_OFFSET + ISO_BLOCK_BYTES
			? undefined
			: Buffer.from(await source.read(DESCRIPTOR_OFFSET, ISO_BLOCK_BYTES));
	const isPrimary = descriptor?.[0] === 1 && descriptor.toString("latin1", 1, 6) === "CD001";
	if (descriptor === undefined || !isPrimary)
		throw corrupt(
			"NOT_AN_ISO",
			"there is no primary volume descriptor",
			`offset ${DESCRIPTOR_OFFSET}`,
			"an ISO 9660 image",
		);
	const blocks = descriptor.readUInt32BE(SPACE_SIZE_BE_OFFSET);
	if ((blocks - skipSectors) * ISO_BLOCK_BYTES < APPLICATION_USE_OFFSET + APPLICATION_USE_BYTES)
		throw corrupt(
			"NOT_AN_ISO",
			`the volume has only ${blocks} blocks`,
			`offset ${DESCRIPTOR_OFFSET + 80}`,
			`more blocks`,
		);
	return blocks;
}

/** Bytes of the image with the application-use area as spaces, which is how they are hashed. */
export async function readBlanked(
	source: ByteSource,
	start: number,
	byteLength: number,
	buffer?: Uint8Array,
): Promise<Uint8Array> {
	const bytes = await source.read(start, byteLength, buffer);
	const from = Math.max(APPLICATION_USE_OFFSET - start, 0);
	const to = Math.min(APPLICATION_USE_OFFSET + APPLICATION_USE_BYTES - start, byteLength);
	if (from >= to) return bytes;
	const blanked = Uint8Array.from(bytes);
	blanked.fill(0x20, from, to);
	return blanked;
}
