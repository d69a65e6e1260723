import type { LayerCompression } from "./media-types.ts";

/** What the first bytes of a stream say it is; "none" is everything without a known signature. */
export type DetectedCompression = LayerCompression | "bzip2" | "xz";

/** As many bytes as `detectCompression` wants to see. */
export const SIGNATURE_BYTES = 10;

const SIGNATURES: ReadonlyArray<readonly [DetectedCompression, string]> = [
	// RFC 1952 2.3.1: identification and the only compression method
	["gzip", "1f8b08"],
	// RFC 8878 3.1.1: a frame; 3.1.2: a skippable frame before it, whose first byte is 50 to 5f
	["zstd", "28b52ffd"],
	["zstd", "5.2a4d18"],
	["xz", "fd377a585a00"],
	// a file with blocks, and one without
	["bzip2", "425a683.314159265359"],
	["bzip2", "425a683.177245385090"],
];

/** Looks at the first (up to) `SIGNATURE_BYTES` bytes. */
export function detectCompression(head: Uint8Array): DetectedCompression {
	const hex = Buffer.from(head.subarray(0, SIGNATURE_BYTES)).toString("hex");
	const matches = (signature: string): boolean =>
		hex.length >= signature.length && [...signature].every((digit, at) => digit === "." || digit === hex[at]);
	return SIGNATURES.find(([, signature]) => matches(signature))?.[0] ?? "none";
}

/** Whether there is a decoder for it. */
export function isInflatable(compression: DetectedCompression): compression is LayerCompression {
	return compression === "none" || compression === "gzip" || compression === "zstd";
}
