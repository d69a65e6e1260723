import type { LayerCompression } from "./media-types.ts";

/** What the first bytes of a stream say it is; "none" is everything without a known signature. */
export type DetectedCompression = LayerCompression | "bzip2" | "xz";

/** As many bytes as `detectCompression` wants to see. */
export const SIGNATURE_BYTES = 10;

const SIGNATURES: ReadonlyArray<readonly [DetectedCompression, RegExp]> = [
	// RFC 1952 2.3.1: identification and the only compression method
	["gzip", /^\x1f\x8b\x08/],
	// RFC 8878 3.1.1 and 3.1.2: a frame, or a skippable frame before it
	["zstd", /^(?:\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18)/],
	["xz", /^\xfd7zXZ\x00/],
	["bzip2", /^BZh[1-9](?:\x31\x41\x59\x26\x53\x59|\x17\x72\x45\x38\x50\x90)/],
];

/** Looks at the first (up to) `SIGNATURE_BYTES` bytes. */
export function detectCompression(head: Uint8Array): DetectedCompression {
	const text = Buffer.from(head.subarray(0, SIGNATURE_BYTES)).toString("latin1");
	return SIGNATURES.find(([, signature]) => signature.test(text))?.[0] ?? "none";
}
