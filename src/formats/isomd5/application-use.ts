import { assert } from "../../errors.ts";

/** ECMA-119 8.4.32, BP 884 to 1395 of the primary volume descriptor. */
export const APPLICATION_USE_BYTES = 512;
/** Blocks at the end that are not hashed. */
export const SKIP_SECTORS = 15;
export const FRAGMENT_COUNT = 20;
export const HEX_DIGITS_PER_FRAGMENT = 3;

/** What the application-use area says about the medium. */
export interface MediaChecksum {
	/** 32 lower-case hexadecimal digits. */
	readonly md5: string;
	/** Blocks of 2048 bytes at the end that are not hashed. */
	readonly skipSectors: number;
	/** The distributor's mark for a supported medium. */
	readonly supported: boolean;
	/** `fragmentCount` times three hexadecimal digits; fewer on an image of few buffers. */
	readonly fragmentSums: string;
	readonly fragmentCount: number;
}

const CLOSING = "THIS IS NOT THE SAME AS RUNNING MD5SUM ON THIS ISO!!";

/** 512 bytes, filled up with spaces. */
export function encodeApplicationUse(checksum: MediaChecksum): Uint8Array {
	const text = [
		`ISO MD5SUM = ${checksum.md5}`,
		`SKIPSECTORS = ${checksum.skipSectors}`,
		`RHLISOSTATUS=${checksum.supported ? 1 : 0}`,
		`FRAGMENT SUMS = ${checksum.fragmentSums}`,
		`FRAGMENT COUNT = ${checksum.fragmentCount}`,
		CLOSING,
	].join(";");
	assert(text.length <= APPLICATION_USE_BYTES, "the media checksum does not fit the application-use area");
	return Buffer.from(text.padEnd(APPLICATION_USE_BYTES, " "), "latin1");
}

/** What `encodeApplicationUse` wrote, or undefined where the area holds something else. */
export function decodeApplicationUse(area: Uint8Array): MediaChecksum | undefined {
	const text = Buffer.from(area).toString("latin1");
	const match =
		/ISO MD5SUM = ([0-9a-f]{32});SKIPSECTORS = (\d{1,6});RHLISOSTATUS=([01]);FRAGMENT SUMS = ([0-9a-f]{0,300});FRAGMENT COUNT = (\d{1,3});/.exec(
			text,
		);
	if (match === null) return undefined;
	const [, md5 = "", skipSectors = "", supported = "", fragmentSums = "", fragmentCount = ""] = match;
	return {
		md5,
		skipSectors: Number(skipSectors),
		supported: supported === "1",
		fragmentSums,
		fragmentCount: Number(fragmentCount),
	};
}
