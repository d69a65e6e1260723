import type { BlockDigests } from "../binary/block-digests.ts";
import { type Oci2isoError, throwIfAborted } from "../errors.ts";
import type { BlobSource } from "./blob-source.ts";
import { type DetectedCompression, detectCompression, SIGNATURE_BYTES } from "./compression.ts";
import type { Descriptor } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import { layerTooLarge } from "./image-limits.ts";
import { inflateLayer } from "./inflate-layer.ts";
import { layerMediaType } from "./media-types.ts";
import { type LayerToc, openLayerToc } from "./toc/layer-toc.ts";
import { sizeChecked, verifiedBlob } from "./verified-blob.ts";

/** One layer of an image. */
export interface Layer {
	/** Of the blob as it is stored. */
	readonly digest: Digest;
	/** Size of the blob as it is stored. */
	readonly compressedBytes: number;
	readonly mediaType: string;
	/** Digest of the uncompressed archive. */
	readonly diffId: Digest;
	/**
	 * The uncompressed tar archive; each chunk is valid until the next is asked for. May be called again, and reads the blob again.
	 * `onBlobBytes` is told how many bytes of the blob went in, chunk by chunk; `blockDigests`, before each chunk, of the files' blocks that end in it, by
	 * their offset in the archive, as far as somebody made them in passing.
	 * Blob size, blob digest and diffID are checked while it flows: only a consumer that reads to the end knows that they held.
	 * Throws `Oci2isoError` BLOB_MISSING, BLOB_SIZE_MISMATCH, BLOB_DIGEST_MISMATCH, DIFF_ID_MISMATCH, LAYER_TRUNCATED, LAYER_COMPRESSION_BROKEN, LAYER_TOO_LARGE
	 * (exit 5), LAYER_COMPRESSION_UNSUPPORTED (exit 2) and INTERRUPTED (exit 130).
	 */
	tar(
		signal?: AbortSignal,
		onBlobBytes?: (bytes: number) => void,
		blockDigests?: BlockDigests,
	): AsyncIterable<Uint8Array>;
	/** What the blob's first bytes say, once `tar` has seen them. */
	readonly compression: DetectedCompression | undefined;
	/** What `tar` would note, and end with, of a blob that is known without being read. Throws LAYER_TOO_LARGE. */
	judgeKnown(known: KnownBlob): void;
	/** Whether the blob is there to be read, with its size as far as that costs nothing. Throws INTERRUPTED only. */
	isThere(signal?: AbortSignal): Promise<boolean>;
	/**
	 * The layer's table of contents where it has one that the manifest vouches for: its files can then be read one by one. `onBlobBytes` as for `tar`, also
	 * for what is read later. Undefined, perhaps with a note, where there is none. Throws BLOB_MISSING, BLOB_SIZE_MISMATCH, INTERRUPTED and what registries throw.
	 */
	tableOfContents(signal?: AbortSignal, onBlobBytes?: (bytes: number) => void): Promise<LayerToc | undefined>;
	/** Reads the blob once for its size and digest only: whether bytes that made no sense are what the image's author stored. Throws as `tar` does. */
	verifyBlob(signal?: AbortSignal): Promise<void>;
}

/** What was seen when a blob was read to its end. */
interface KnownBlob {
	/** Uncompressed. */
	readonly archiveBytes: number;
	/** A `DetectedCompression`. */
	readonly compression: string;
}

interface LayerOptions {
	/** Position from the bottom, from 0. */
	readonly index: number;
	readonly diffId: Digest;
	/** Uncompressed; see `layerBoundBytes`. */
	readonly maxLayerBytes: number;
	note(text: string): void;
}

export function createLayer(source: BlobSource, descriptor: Descriptor, options: LayerOptions): Layer {
	const { digest, size, mediaType } = descriptor;
	const where = `layer ${options.index}, ${digest}`;
	const explained = async (error: unknown, signal: AbortSignal | undefined): Promise<unknown> =>
		hasCode(error, "BLOB_DIGEST_MISMATCH", "DIFF_ID_MISMATCH", "BLOB_SIZE_MISMATCH")
			? ((await source.explain?.(descriptor, signal)) ?? error)
			: error;
	const verifyBlob = async (signal?: AbortSignal): Promise<void> => {
		try {
			for await (const _ of verifiedBlob(source.blob(descriptor, signal), descriptor, where)) throwIfAborted(signal);
		} catch (error) {
			throw await explained(error, signal);
		}
	};
	let detected: DetectedCompression | undefined;
	return {
		digest,
		compressedBytes: size,
		get compression() {
			return detected;
		},
		mediaType,
		diffId: options.diffId,
		verifyBlob,
		judgeKnown({ archiveBytes, compression }) {
			noteDisagreement(mediaType, compression, where, options.note);
			if (archiveBytes > options.maxLayerBytes) throw layerTooLarge(where, options.maxLayerBytes);
		},
		async isThere(signal) {
			try {
				return await source.has(descriptor, signal);
			} catch {
				// reading it says what is wrong
				throwIfAborted(signal);
				return false;
			}
		},
		tableOfContents: (signal, onBlobBytes) =>
			openLayerToc(source, descriptor, { where, signal, onBlobBytes, note: options.note }),
		async *tar(signal, onBlobBytes, blockDigests) {
			const blob = counted(sizeChecked(source.blob(descriptor, signal), size, where), onBlobBytes);
			try {
				const { compression, chunks } = await sniff(blob);
				detected = compression;
				noteDisagreement(mediaType, compression, where, options.note);
				const archive = inflateLayer(compression, chunks, { digest, diffId: options.diffId }, where, blockDigests);
				yield* limited(archive, where, signal, options.maxLayerBytes);
			} catch (error) {
				// bytes that do not inflate are a consequence where the blob is not the one that was stored
				if (hasCode(error, "LAYER_COMPRESSION_BROKEN", "LAYER_TRUNCATED")) await verifyBlob(signal);
				throw await explained(error, signal);
			} finally {
				await blob.return();
			}
		},
	};
}

async function* counted(
	chunks: AsyncGenerator<Uint8Array, void, undefined>,
	onBytes: ((bytes: number) => void) | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
	for await (const chunk of chunks) {
		onBytes?.(chunk.byteLength);
		yield chunk;
	}
}

/** Ends at the bound, and when the signal fires. */
async function* limited(
	chunks: AsyncIterable<Uint8Array>,
	where: string,
	signal: AbortSignal | undefined,
	maxLayerBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
	let byteLength = 0;
	for await (const chunk of chunks) {
		throwIfAborted(signal);
		byteLength += chunk.byteLength;
		if (byteLength > maxLayerBytes) throw layerTooLarge(where, maxLayerBytes);
		yield chunk;
	}
}

/** Looks at the first bytes and gives all of them again. The caller still has to `return()` the input. */
export async function sniff(
	input: AsyncGenerator<Uint8Array, void, undefined>,
): Promise<{ compression: DetectedCompression; chunks: AsyncIterable<Uint8Array> }> {
	let head: Uint8Array = new Uint8Array();
	let ended = false;
	while (head.byteLength < SIGNATURE_BYTES && !ended) {
		const { value, done } = await input.next();
		if (done === true || value === undefined) ended = true;
		else head = head.byteLength === 0 ? value : Buffer.concat([head, value]);
		// the chunk's buffer may be reused by the next read
		if (head === value && head.byteLength < SIGNATURE_BYTES) head = Uint8Array.from(head);
	}
	return { compression: detectCompression(head), chunks: prefixed(head, input) };
}

async function* prefixed(
	head: Uint8Array,
	rest: AsyncGenerator<Uint8Array, void, undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
	if (head.byteLength > 0) yield head;
	yield* rest;
}

function noteDisagreement(mediaType: string, compression: string, where: string, note: (text: string) => void): void {
	const declared = layerMediaType(mediaType)?.compression;
	if (declared !== undefined && declared !== compression)
		note(
			`${where}: media type ${mediaType} says compression "${declared}", the bytes say "${compression}"; went by the bytes`,
		);
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
	return codes.includes((error as Partial<Oci2isoError> | undefined)?.code ?? "");
}
