import * as zlib from "node:zlib";
import { loadLzmaPackage } from "./lzma-package.ts";
import type { PortableEncoder } from "./portable-pool.ts";
import type { CodecName } from "./types.ts";
import { encodeXzContainer } from "./xz-container.ts";

const MIN_DICTIONARY_BYTES = 8192;
const MAX_ZLIB_LEVEL = 9;

/** The encoder that works without the addon, or why there is none. */
export function portableEncoder(codec: CodecName, level: number, blockBytes: number): PortableEncoder | string {
	switch (codec) {
		case "gzip":
			if (level > MAX_ZLIB_LEVEL) return `zlib has levels 1 to ${MAX_ZLIB_LEVEL} only`;
			return zlibEncoder(level);
		case "zstd":
			return nodeZstdEncoder(level);
		case "xz":
			return lzma2Encoder(level, blockBytes);
		case "lz4":
			return "there is no portable lz4 encoder";
		case "none":
			return "nothing is encoded";
	}
}

function zlibEncoder(level: number): PortableEncoder {
	const options = { level, windowBits: 15, memLevel: 8 };
	return {
		name: `node zlib ${process.versions.zlib}`,
		encode: (block) =>
			new Promise((resolve, reject) => {
				zlib.deflate(block, options, (error, encoded) => (error === null ? resolve(encoded) : reject(error)));
			}),
		encodeNow: (block) => zlib.deflateSync(block, options),
	};
}

/** What node:zlib has since Node 22.15. */
interface NodeZstd {
	zstdCompress?(
		block: Uint8Array,
		options: { readonly params: Readonly<Record<number, number>>; readonly pledgedSrcSize: number },
		done: (error: Error | null, encoded: Buffer) => void,
	): void;
	zstdCompressSync?(
		block: Uint8Array,
		options: { readonly params: Readonly<Record<number, number>>; readonly pledgedSrcSize: number },
	): Buffer;
	readonly constants: { readonly ZSTD_c_compressionLevel?: number };
}

function nodeZstdEncoder(level: number): PortableEncoder | string {
	const { zstdCompress, zstdCompressSync, constants } = zlib as unknown as NodeZstd;
	const parameter = constants.ZSTD_c_compressionLevel;
	if (zstdCompress === undefined || zstdCompressSync === undefined || parameter === undefined)
		return `node ${process.versions.node} has no zstd (22.15 and later have it)`;
	// With the size known beforehand the window does not exceed the block.
	const optionsFor = (block: Uint8Array) => ({ params: { [parameter]: level }, pledgedSrcSize: block.byteLength });
	return {
		name: `node zstd ${process.versions["zstd"] ?? process.versions.node}`,
		encode: (block) =>
			new Promise((resolve, reject) => {
				zstdCompress(block, optionsFor(block), (error, encoded) => (error === null ? resolve(encoded) : reject(error)));
			}),
		encodeNow: (block) => zstdCompressSync(block, optionsFor(block)),
	};
}

function lzma2Encoder(level: number, blockBytes: number): PortableEncoder | string {
	const state = loadLzmaPackage();
	if (state.lzma === undefined) return state.reason;
	const { lzma, version } = state;
	const dictionaryBytes = Math.max(blockBytes, MIN_DICTIONARY_BYTES);
	return {
		name: `@napi-rs/lzma ${version}`,
		async encode(block) {
			const compressor = new lzma.Lzma2Compressor({ preset: level, dictSize: dictionaryBytes });
			const start = Buffer.from(compressor.update(block));
			return encodeXzContainer(Buffer.concat([start, await compressor.finish()]), block, dictionaryBytes);
		},
		// Distances cannot exceed the block, so the one-shot call's own dictionary does not matter.
		encodeNow: (block) => encodeXzContainer(lzma.lzma2.compressSync(block), block, MIN_DICTIONARY_BYTES),
	};
}
