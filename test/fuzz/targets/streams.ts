import { execFileSync } from "node:child_process";
import { constants, deflateSync, gzipSync } from "node:zlib";
import { ByteQueue } from "../../../src/binary/byte-queue.ts";
import { expandFile } from "../../../src/boot/initramfs/decompress.ts";
import { memoryFile } from "../../../src/boot/initramfs/streamed-file.ts";
import { decodeXzStream } from "../../../src/boot/initramfs/xz.ts";
import { createDecompressor } from "../../../src/codec/decompressor.ts";
import { kernelRefusal } from "../../../src/codec/kernel-limits.ts";
import { decodeXzContainer, encodeXzContainer } from "../../../src/codec/xz-container.ts";
import { decodeZstdFrameHeader } from "../../../src/codec/zstd-frame.ts";
import { ZstdInflater } from "../../../src/codec/zstd-inflater.ts";
import { corrupt, Oci2isoError } from "../../../src/errors.ts";
import { decodeLzma } from "../../../src/formats/lzma/raw-lzma.ts";
import { backgroundInflater } from "../../../src/native/background-inflater.ts";
import { gunzip } from "../../../src/oci/gunzip.ts";
import { unzstd } from "../../../src/oci/unzstd.ts";
import { GRUB_KERNEL_LZMA, grubKernel, MATCHES_LZMA, matches } from "../../support/raw-lzma.ts";
import { zstdSkippable, zstdStored } from "../../support/zstd-stored.ts";
import type { FuzzTarget } from "../engine/target.ts";

const TEXT = Buffer.from("what a layer holds ".repeat(40));
/** Enough for a seed to end, little enough that a bomb ends soon. */
const MAX_OUTPUT_BYTES = 8 * 2 ** 20;

async function* once(input: Buffer): AsyncGenerator<Uint8Array> {
	for (let at = 0; at < input.byteLength; at += 300) {
		await Promise.resolve();
		yield input.subarray(at, at + 300);
	}
}

async function drain(chunks: AsyncIterable<Uint8Array>): Promise<number> {
	let byteLength = 0;
	for await (const chunk of chunks) {
		byteLength += chunk.byteLength;
		if (byteLength > MAX_OUTPUT_BYTES) break;
	}
	return byteLength;
}

/** A frame with real entropy coding, from node's own decoder's partner on the host where there is one. */
function zstdFrames(): Buffer[] {
	const frames = [
		zstdStored(TEXT),
		Buffer.concat([zstdSkippable(Buffer.from("skip")), zstdStored(Buffer.alloc(70_000))]),
	];
	try {
		frames.push(execFileSync("zstd", ["-19", "-c", "--check"], { input: TEXT, stdio: ["pipe", "pipe", "ignore"] }));
	} catch {
		// Not installed: the corpus has one.
	}
	return frames;
}

function xzStreams(): Buffer[] {
	const lzma2 = Buffer.concat([Buffer.from([1, 0, 3]), Buffer.from("abcd"), Buffer.from([0])]);
	const streams = [encodeXzContainer(lzma2, Buffer.from("abcd"), 8192)];
	try {
		streams.push(execFileSync("xz", ["-9", "-c", "--check=crc32"], { input: TEXT, stdio: ["pipe", "pipe", "ignore"] }));
	} catch {
		// Not installed: the corpus has one.
	}
	return streams;
}

function inBackground(format: "gzip" | "zstd"): (input: Buffer) => Promise<number> {
	return (input) => {
		const inflate = backgroundInflater();
		if (inflate === undefined) return Promise.resolve(0);
		return drain(
			inflate(once(input), {
				format,
				inputDigest: "sha256",
				outputDigest: "sha512",
				failure: (reason) => corrupt("LAYER_COMPRESSION_BROKEN", reason),
			}),
		);
	};
}

const gzipSeeds = (): Buffer[] => [
	gzipSync(TEXT),
	Buffer.concat([gzipSync(TEXT, { strategy: constants.Z_FIXED }), gzipSync(Buffer.alloc(9000)), Buffer.alloc(20)]),
	gzipSync(TEXT, { level: 0 }),
];

/** The decoder of one codec both as compiled and as portable, which must agree on what is a block. */
function blockTarget(codec: "gzip" | "zstd" | "xz" | "lz4", seeds: () => Buffer[]): FuzzTarget {
	return {
		name: `block-${codec}`,
		seeds,
		run(input) {
			kernelRefusal(codec, input, 131_072);
			for (const backend of ["native", "portable"] as const) {
				try {
					const decompressor = createDecompressor(codec, { backend });
					decompressor.decompress(input, 131_072);
					decompressor.decompress(input, 8192, Buffer.alloc(8192));
				} catch (error) {
					if (!(error instanceof Oci2isoError) || !["CORRUPT_BLOCK", "CODEC_UNAVAILABLE"].includes(error.code))
						throw error;
				}
			}
		},
	};
}

export const streamTargets: readonly FuzzTarget[] = [
	{ name: "gzip-portable", seeds: gzipSeeds, run: (input) => drain(gunzip(once(input), "fuzz")) },
	{ name: "gzip-native", seeds: gzipSeeds, run: inBackground("gzip") },
	{
		name: "zstd-portable",
		seeds: zstdFrames,
		run(input) {
			const inflater = new ZstdInflater({ backend: "portable" });
			let byteLength = 0;
			for (let at = 0; at < input.byteLength && byteLength < MAX_OUTPUT_BYTES; at += 300)
				for (const piece of inflater.inflate(input.subarray(at, at + 300))) byteLength += piece.byteLength;
			inflater.finish();
		},
	},
	{ name: "zstd-native", seeds: zstdFrames, run: inBackground("zstd") },
	{ name: "zstd-layer", seeds: zstdFrames, run: (input) => drain(unzstd(once(input), "fuzz")) },
	{
		name: "zstd-header",
		maxBytes: 64,
		seeds: zstdFrames,
		run: (input) => decodeZstdFrameHeader(input),
	},
	{
		name: "lzma",
		seeds: () => [GRUB_KERNEL_LZMA, MATCHES_LZMA],
		run: (input) => [decodeLzma(input, grubKernel().byteLength), decodeLzma(input, matches().byteLength)],
	},
	{
		name: "xz",
		seeds: xzStreams,
		run: async (input) => [
			await decodeXzStream(new ByteQueue(memoryFile(input, 100)), () => {}),
			decodeXzContainer(input),
		],
	},
	{
		name: "module-file",
		seeds: () => [...xzStreams(), ...zstdFrames(), ...gzipSeeds()],
		run: async (input) => [
			await expandFile("x.ko.xz", input, 100_000),
			await expandFile("x.ko.zst", input, 100_000),
			await expandFile("x.ko.gz", input, 100_000),
		],
	},
	blockTarget("gzip", () => [deflateSync(TEXT), deflateSync(TEXT, { level: 1 })]),
	blockTarget("zstd", zstdFrames),
	blockTarget("xz", xzStreams),
	blockTarget("lz4", () => [
		Buffer.from([0x1f, 0x61, 0x01, 0x00, 0xff, 0x20, 0x50, 0x61, 0x61, 0x61, 0x61, 0x61]),
		Buffer.concat([Buffer.from([0xf0, 0x05]), Buffer.from("twenty bytes of text")]),
	]),
];
