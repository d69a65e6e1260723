import * as zlib from "node:zlib";
import { Oci2isoError } from "../errors.ts";
import { loadNativeAddon } from "../native/addon.ts";
import { codecBackend, codecUnavailable } from "./backend.ts";
import { decodeLz4Block } from "./lz4-block.ts";
import { loadLzmaPackage } from "./lzma-package.ts";
import { PortableZstdInflater } from "./portable-zstd-inflater.ts";
import type { BlockDecompressor, CodecBackend, CodecName, GzipForm } from "./types.ts";
import { decodeXzContainer, decodeXzHeaders } from "./xz-container.ts";

/** Decodes into `output`; returns the length, or undefined where the bytes are not a block that fits. May throw anything. */
type Decode = (block: Uint8Array, output: Buffer) => number | undefined;

/**
 * The decoder of one codec: the addon's where it is built, otherwise a portable one.
 * Throws `Oci2isoError` CODEC_UNAVAILABLE (usage) where there is neither (xz on Node before 22.20).
 */
export function createDecompressor(
	codec: CodecName,
	options: { readonly backend?: CodecBackend | undefined; readonly gzipForm?: GzipForm | undefined } = {},
): BlockDecompressor {
	const isRaw = codec === "gzip" && options.gzipForm === "raw";
	const decode = codec === "none" ? refuse : isRaw ? inflateRaw : decoderFor(codec, codecBackend(options.backend));
	return {
		decompress(block, maxBytes, into) {
			const output =
				into === undefined
					? Buffer.allocUnsafeSlow(maxBytes)
					: Buffer.from(into.buffer, into.byteOffset, Math.min(maxBytes, into.byteLength));
			let decodedBytes: number | undefined;
			let cause: unknown;
			try {
				decodedBytes = maxBytes === 0 ? undefined : decode(block, output);
			} catch (error) {
				if (!isAboutData(error)) throw error;
				cause = error;
			}
			if (decodedBytes === undefined)
				throw new Oci2isoError({
					code: "CORRUPT_BLOCK",
					kind: "corrupt",
					what: `a block of ${block.byteLength} bytes is not ${codec} data`,
					expected: `what decodes to 1 to ${maxBytes} bytes`,
					cause,
				});
			// A view of a mostly empty buffer would keep all of it.
			return into === undefined && decodedBytes * 2 < maxBytes
				? Buffer.from(output.subarray(0, decodedBytes))
				: output.subarray(0, decodedBytes);
		},
	};
}

/** Whether a decoder threw for what the bytes are, and not for a lack of memory or of a decoder; packages' errors have no code for either. */
function isAboutData(error: unknown): boolean {
	if (error instanceof Oci2isoError) return error.kind === "corrupt";
	if (!(error instanceof Error)) return false;
	const code = "code" in error ? String(error.code) : "";
	return (
		!/^(Z_MEM|Z_STREAM|Z_VERSION|ERR_MEMORY)/.test(code) && !/not enough memory|allocation failed/i.test(error.message)
	);
}

function decoderFor(codec: Exclude<CodecName, "none">, backend: CodecBackend): Decode {
	if (backend !== "portable") {
		const { addon, reason } = loadNativeAddon();
		if (addon?.codecs[codec] !== undefined) {
			const native = new addon.BlockDecompressor(codec);
			return (block, output) => {
				const decodedBytes = native.decompress(block, output);
				return decodedBytes > 0 ? decodedBytes : undefined;
			};
		}
		if (backend === "native")
			throw codecUnavailable(codec, `no native ${codec} decoder: ${reason ?? "it was built without"}`);
	}
	return portableDecoders[codec]();
}

const refuse: Decode = () => undefined;

const inflateRaw: Decode = (block, output) =>
	copyInto(output, zlib.inflateRawSync(block, { maxOutputLength: output.byteLength }));

const portableDecoders: Readonly<Record<Exclude<CodecName, "none">, () => Decode>> = {
	gzip: () => (block, output) => copyInto(output, zlib.inflateSync(block, { maxOutputLength: output.byteLength })),
	lz4: () => (block, output) => decodeLz4Block(block, output) || undefined,
	zstd: () => (block, output) => {
		const inflater = new PortableZstdInflater();
		let at = 0;
		for (const piece of inflater.inflate(block)) {
			if (at + piece.byteLength > output.byteLength) return undefined;
			output.set(piece, at);
			at += piece.byteLength;
		}
		return inflater.betweenFrames && at > 0 ? at : undefined;
	},
	xz: () => {
		const state = loadLzmaPackage();
		if (state.lzma === undefined) throw codecUnavailable("xz", `no xz decoder: ${state.reason}`);
		const { lzma2 } = state.lzma;
		return (block, output) => {
			if (hasBranchFilter(block))
				throw codecUnavailable("xz", "a block has a filter that only the addon's decoder knows");
			const content = decodeXzContainer(block);
			if (content === undefined || content.contentBytes > output.byteLength) return undefined;
			const decoded = lzma2.decompressSync(content.lzma2);
			if (content.contentCrc32 !== undefined && zlib.crc32(decoded) !== content.contentCrc32) return undefined;
			return copyInto(output, decoded);
		};
	},
};

function hasBranchFilter(block: Uint8Array): boolean {
	const headers = decodeXzHeaders(block);
	return typeof headers !== "string" && headers.filters.length > 1;
}

function copyInto(output: Buffer, decoded: Uint8Array): number | undefined {
	if (decoded.byteLength === 0 || decoded.byteLength > output.byteLength) return undefined;
	output.set(decoded);
	return decoded.byteLength;
}
