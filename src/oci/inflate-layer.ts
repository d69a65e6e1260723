import type { BlockDigests } from "../binary/block-digests.ts";
import { truncatedZstd, zstdFailure } from "../codec/zstd-frame.ts";
import { backgroundInflater } from "../native/background-inflater.ts";
import { type DetectedCompression, isInflatable } from "./compression.ts";
import { type Digest, Digester, digestAlgorithm } from "./digest.ts";
import { unsupportedCompression } from "./failures.ts";
import { brokenGzip, gunzip, truncatedGzip } from "./gunzip.ts";
import { asLayerError, unzstd } from "./unzstd.ts";
import { checkBlobDigest, digestChecked, digestMismatch } from "./verified-blob.ts";

/** What a layer's blob and its archive must have. */
interface LayerDigests {
	readonly digest: Digest;
	readonly diffId: Digest;
}

/**
 * The archive in a layer's blob, with the digests of both checked at the end: on threads of the addon, or on this one.
 * Throws `Oci2isoError` BLOB_DIGEST_MISMATCH, DIFF_ID_MISMATCH, LAYER_TRUNCATED, LAYER_COMPRESSION_BROKEN (exit 5), LAYER_COMPRESSION_UNSUPPORTED (exit 2).
 */
export async function* inflateLayer(
	compression: DetectedCompression,
	blob: AsyncIterable<Uint8Array>,
	{ digest, diffId }: LayerDigests,
	where: string,
	blockDigests?: BlockDigests,
): AsyncGenerator<Uint8Array, void, undefined> {
	// an uncompressed blob is digested already
	const sameDigest = compression === "none" && digestAlgorithm(digest) === digestAlgorithm(diffId);
	const archiveAlgorithm = sameDigest ? undefined : digestAlgorithm(diffId);
	const inBackground = backgroundInflater();
	let actual = digest;
	if (inBackground !== undefined && isInflatable(compression)) {
		const digests = yield* inBackground(blob, {
			format: compression,
			inputDigest: digestAlgorithm(digest),
			outputDigest: archiveAlgorithm,
			blockDigests,
			failure: (reason) => inflateFailure(compression, reason, where),
		});
		checkBlobDigest(`${digestAlgorithm(digest)}:${digests.input}`, digest, where);
		if (archiveAlgorithm !== undefined) actual = `${archiveAlgorithm}:${digests.output}`;
	} else {
		const digester = archiveAlgorithm && new Digester(archiveAlgorithm);
		for await (const chunk of decompress(compression, digestChecked(blob, digest, where), where)) {
			digester?.update(chunk);
			yield chunk;
		}
		if (digester !== undefined) actual = digester.finish();
	}
	if (actual !== diffId) throw digestMismatch("DIFF_ID_MISMATCH", "uncompressed layer", actual, diffId, where);
}

type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** The bytes that a compressed stream stands for. Throws `Oci2isoError` LAYER_TRUNCATED, LAYER_COMPRESSION_BROKEN, LAYER_COMPRESSION_UNSUPPORTED. */
export function decompress(compression: DetectedCompression, chunks: Chunks, where: string): Chunks {
	switch (compression) {
		case "none":
			return chunks;
		case "gzip":
			return gunzip(chunks, where);
		case "zstd":
			return unzstd(chunks, where);
		default:
			throw unsupportedCompression(`layer is compressed with ${compression}`, where);
	}
}

function inflateFailure(compression: "none" | "gzip" | "zstd", reason: string, where: string): unknown {
	const truncated = reason === "truncated";
	if (compression === "zstd") return asLayerError(truncated ? truncatedZstd() : zstdFailure(reason), where);
	return truncated ? truncatedGzip(where) : brokenGzip(reason, where);
}
