import { ByteQueue } from "../../binary/byte-queue.ts";
import { gunzipMember } from "./gzip.ts";
import { unlz4Legacy } from "./lz4.ts";
import type { Damage, Decompressed, Emit } from "./segment.ts";
import { memoryFile } from "./streamed-file.ts";
import { decodeXzStream } from "./xz.ts";
import { unzstdFrame } from "./zstd.ts";

/** The compressions that kernels unpack an initramfs with (lib/decompress.c); the last three are only recognised here. */
export type InitramfsCompression = "none" | "gzip" | "zstd" | "xz" | "lz4" | "bzip2" | "lzma" | "lzo";

const SIGNATURES: readonly (readonly [InitramfsCompression, string])[] = [
	["gzip", "1f8b"],
	["gzip", "1f9e"],
	["bzip2", "425a68"],
	["lzma", "5d0000"],
	["xz", "fd377a585a00"],
	["lzo", "894c5a4f000d0a"],
	["lz4", "02214c18"],
	["zstd", "28b52ffd"],
];
/** Bytes that `compressionOf` looks at. */
export const LONGEST_SIGNATURE = 7;
/** The .xz file format, 2.1.1.2: 0 is none, 1 CRC32. Linux, Documentation/staging/xz.rst: the kernel's decoder has no others. */
const CHECK_CRC32 = 1;

/** What data that starts with `bytes` is compressed with, by the signatures that a kernel looks at; undefined where it would see none. */
export function compressionOf(bytes: Uint8Array): InitramfsCompression | undefined {
	const start = Buffer.from(bytes.subarray(0, LONGEST_SIGNATURE)).toString("hex");
	return SIGNATURES.find(([, signature]) => start.startsWith(signature))?.[0];
}

/** Decompresses the one part that `input` is at, and takes it. Rejects with what `emit` or the input throws. */
export async function decompress(
	compression: InitramfsCompression,
	input: ByteQueue,
	emit: Emit,
): Promise<Decompressed | Damage> {
	switch (compression) {
		case "gzip":
			return gunzipMember(input, emit);
		case "zstd":
			return unzstdFrame(input, emit);
		case "xz": {
			const stream = await decodeXzStream(input, emit);
			if ("damage" in stream || stream.check <= CHECK_CRC32) return "damage" in stream ? stream : {};
			return { refusedByKernel: "its integrity check is not CRC32, the only one that the kernel's xz decoder knows" };
		}
		case "lz4":
			return unlz4Legacy(input, emit);
		default:
			return { damage: `${compression} is not looked into` };
	}
}

class TooLarge extends Error {}

/** A kernel module's or other small file's content: decompressed where its name ends in .gz, .xz or .zst. Undefined where that fails. */
export async function expandFile(name: string, bytes: Uint8Array, maxBytes: number): Promise<Buffer | undefined> {
	if (!/\.(gz|xz|zst)$/.test(name)) return Buffer.from(bytes);
	const compression = compressionOf(bytes);
	if (compression === undefined) return undefined;
	const pieces: Buffer[] = [];
	let byteLength = 0;
	const input = new ByteQueue(memoryFile(bytes));
	try {
		const result = await decompress(compression, input, (piece) => {
			byteLength += piece.byteLength;
			if (byteLength > maxBytes) throw new TooLarge();
			pieces.push(Buffer.from(piece));
		});
		return "damage" in result ? undefined : Buffer.concat(pieces);
	} catch (error) {
		if (error instanceof TooLarge) return undefined;
		throw error;
	} finally {
		await input.close();
	}
}
