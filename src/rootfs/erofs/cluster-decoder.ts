import { createDecompressor } from "../../codec/decompressor.ts";
import { decodeMicroLzma } from "../../codec/micro-lzma.ts";
import type { CodecName } from "../../codec/types.ts";
import { corrupt } from "../../errors.ts";
import { ALGORITHM } from "./constants.ts";
import { MAX_DECODED_BYTES } from "./extent-form.ts";

/** Decodes a physical cluster without the zeros before it, into the first bytes of `output`; returns how many. Throws `Oci2isoError` where it is damaged. */
type Decode = (cluster: Uint8Array, output: Buffer) => number;

/** What is said of an algorithm where codecs are named. */
export const CODEC_OF_ALGORITHM: Readonly<Record<number, CodecName>> = {
	[ALGORITHM.lz4]: "lz4",
	[ALGORITHM.lzma]: "xz",
	[ALGORITHM.deflate]: "gzip",
	[ALGORITHM.zstd]: "zstd",
};

/** Of an image with these algorithms. */
export function codecOf(available: number): CodecName {
	for (const [algorithm, codec] of Object.entries(CODEC_OF_ALGORITHM))
		if ((available & (1 << Number(algorithm))) !== 0) return codec;
	return "none";
}

/** Decoders of an image's algorithms, made when they are needed. */
export class ClusterDecoder {
	readonly #available: number;
	readonly #decoders = new Map<number, Decode>();
	#scratch: Buffer | undefined;

	/** `available`: the superblock's bitmap. */
	constructor(available: number) {
		this.#available = available;
	}

	/**
	 * Decodes the first `output.byteLength` bytes, and all of them unless `isPartial`, of what `stored` holds; returns how many there were.
	 * Throws `Oci2isoError` CORRUPT_BLOCK or CODEC_UNAVAILABLE.
	 */
	decode(algorithm: number, stored: Uint8Array, output: Buffer, isPartial: boolean): number {
		const decode = this.#decoder(algorithm);
		// LZMA's decoder stops where it is told to; of the others none does.
		const isWhole = !isPartial || algorithm === ALGORITHM.lzma;
		if (!isWhole) this.#scratch ??= Buffer.allocUnsafeSlow(MAX_DECODED_BYTES);
		const into = isWhole ? output : (this.#scratch ?? output);
		const decodedBytes = decode(stored, into);
		if (decodedBytes < output.byteLength || (isWhole && decodedBytes !== output.byteLength))
			throw corrupt("CORRUPT_BLOCK", `a cluster has ${decodedBytes} bytes`, undefined, `${output.byteLength} bytes`);
		if (!isWhole) into.copy(output, 0, 0, output.byteLength);
		return decodedBytes;
	}

	#decoder(algorithm: number): Decode {
		const known = this.#decoders.get(algorithm);
		if (known !== undefined) return known;
		if (algorithm === ALGORITHM.lz4 && this.#available === 0)
			throw corrupt("UNSUPPORTED_FEATURE", "lz4 data begins its blocks, as before Linux 5.3, which is not read");
		if ((this.#available & (1 << algorithm)) === 0 || CODEC_OF_ALGORITHM[algorithm] === undefined)
			throw corrupt("CORRUPT_METADATA", `a file uses algorithm ${algorithm}, which the superblock has not`);
		const made = makeDecoder(algorithm);
		this.#decoders.set(algorithm, made);
		return made;
	}
}

function makeDecoder(algorithm: number): Decode {
	if (algorithm === ALGORITHM.lzma)
		return (cluster, output) => {
			const decodedBytes = decodeMicroLzma(cluster, output);
			if (decodedBytes !== undefined) return decodedBytes;
			throw corrupt("CORRUPT_BLOCK", `a cluster of ${cluster.byteLength} bytes is not MicroLZMA data`);
		};
	const decompressor = createDecompressor(CODEC_OF_ALGORITHM[algorithm] ?? "none", { gzipForm: "raw" });
	return (cluster, output) => decompressor.decompress(cluster, output.byteLength, output).byteLength;
}
