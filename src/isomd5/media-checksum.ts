import { createHash, type Hash } from "node:crypto";
import type { ByteSource } from "../binary/byte-source.ts";
import { ISO_BLOCK_BYTES, KiB, MiB } from "../binary/units.ts";
import { corrupt } from "../errors.ts";
import {
	APPLICATION_USE_BYTES,
	decodeApplicationUse,
	encodeApplicationUse,
	FRAGMENT_COUNT,
	HEX_DIGITS_PER_FRAGMENT,
	type MediaChecksum,
	SKIP_SECTORS,
} from "./application-use.ts";

const DESCRIPTOR_OFFSET = 16 * ISO_BLOCK_BYTES;
/** Of the application-use area within the image: ECMA-119 8.4.32, BP 884 of the primary volume descriptor. */
export const APPLICATION_USE_OFFSET = DESCRIPTOR_OFFSET + 883;
/** ECMA-119 8.4.8, BP 81; the big-endian half is what `implantisomd5` reads. */
const SPACE_SIZE_BE_OFFSET = 84;
/** The unit in which fragment boundaries are noticed, which shapes the fragment sums. */
const BUFFER_BYTES = 32 * KiB;
const READ_BYTES = 1 * MiB;

/** Called with bytes hashed and bytes to hash. */
export type ChecksumProgress = (doneBytes: number, totalBytes: number) => void;

export type ChecksumVerdict = "pass" | "fail" | "none";

/**
 * The application-use area for the primary volume descriptor, 512 bytes, as `implantisomd5` would write it; what the area
 * holds now does not matter. Throws `Oci2isoError` NOT_AN_ISO, or UNEXPECTED_END where the image is shorter than it says.
 */
export async function computeMediaChecksum(source: ByteSource, onProgress?: ChecksumProgress): Promise<Uint8Array> {
	return encodeApplicationUse(await hashImage(source, SKIP_SECTORS, FRAGMENT_COUNT, onProgress));
}

/** Checks an image against the checksum that its application-use area holds; `none` where it holds none. */
export async function verifyMediaChecksum(source: ByteSource, onProgress?: ChecksumProgress): Promise<ChecksumVerdict> {
	await hashedBytes(source, SKIP_SECTORS);
	const stored = decodeApplicationUse(await source.read(APPLICATION_USE_OFFSET, APPLICATION_USE_BYTES));
	if (stored === undefined) return "none";
	const computed = await hashImage(source, stored.skipSectors, stored.fragmentCount, onProgress);
	return computed.md5 === stored.md5 && computed.fragmentSums === stored.fragmentSums ? "pass" : "fail";
}

async function hashImage(
	source: ByteSource,
	skipSectors: number,
	fragmentCount: number,
	onProgress: ChecksumProgress | undefined,
): Promise<MediaChecksum> {
	const totalBytes = await hashedBytes(source, skipSectors);
	const fragmentBytes = Math.floor(totalBytes / (fragmentCount + 1));
	const hash = createHash("md5");
	let fragment = 0;
	let fragmentSums = "";
	const buffer = new Uint8Array(Math.min(READ_BYTES, totalBytes));
	for (let start = 0; start < totalBytes; start += READ_BYTES) {
		const bytes = await readBlanked(source, start, Math.min(READ_BYTES, totalBytes - start), buffer);
		for (let at = 0; at < bytes.byteLength; at += BUFFER_BYTES) {
			hash.update(bytes.subarray(at, at + BUFFER_BYTES));
			const reached = Math.floor((start + at) / fragmentBytes);
			if (reached === fragment) continue;
			fragment = reached;
			if (fragmentSums.length < fragmentCount * HEX_DIGITS_PER_FRAGMENT) fragmentSums += fragmentSum(hash);
		}
		onProgress?.(start + bytes.byteLength, totalBytes);
	}
	return { md5: hash.digest("hex"), skipSectors, supported: false, fragmentSums, fragmentCount };
}

async function hashedBytes(source: ByteSource, skipSectors: number): Promise<number> {
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
	const bytes = (blocks - skipSectors) * ISO_BLOCK_BYTES;
	if (bytes < APPLICATION_USE_OFFSET + APPLICATION_USE_BYTES)
		throw corrupt(
			"NOT_AN_ISO",
			`the volume has only ${blocks} blocks`,
			`offset ${DESCRIPTOR_OFFSET + 80}`,
			`more blocks`,
		);
	return bytes;
}

/** Bytes of the image with the application-use area as spaces, which is how they are hashed. */
async function readBlanked(
	source: ByteSource,
	start: number,
	byteLength: number,
	buffer: Uint8Array,
): Promise<Uint8Array> {
	const bytes = await source.read(start, byteLength, buffer);
	const from = Math.max(APPLICATION_USE_OFFSET - start, 0);
	const to = Math.min(APPLICATION_USE_OFFSET + APPLICATION_USE_BYTES - start, byteLength);
	if (from >= to) return bytes;
	const blanked = Uint8Array.from(bytes);
	blanked.fill(0x20, from, to);
	return blanked;
}

/** The first hexadecimal digit of each of the first digest bytes, printed without leading zeros. */
function fragmentSum(hash: Hash): string {
	const digest = hash.copy().digest();
	return [...digest.subarray(0, HEX_DIGITS_PER_FRAGMENT)].map((byte) => byte.toString(16).charAt(0)).join("");
}
