import { createInflateRaw } from "node:zlib";
import { MiB } from "../../binary/units.ts";
import { decodeLz4Block } from "../../codec/lz4-block.ts";
import { decodeZstdFrameHeader } from "../../codec/zstd-frame.ts";
import { ZstdInflater } from "../../codec/zstd-inflater.ts";
import { Oci2isoError } from "../../errors.ts";
import { decodeXzStream } from "./xz.ts";

/** The compressions that kernels unpack an initramfs with (lib/decompress.c); the last three are only recognised here. */
export type InitramfsCompression = "none" | "gzip" | "zstd" | "xz" | "lz4" | "bzip2" | "lzma" | "lzo";

/** What a compressed segment turned out to be. */
export interface Decompressed {
	/** Offset behind it. */
	readonly end: number;
	/** What a kernel would not take about it, in words. */
	readonly refusedByKernel?: string | undefined;
}

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
const LONGEST_SIGNATURE = 7;
/** The .xz file format, 2.1.1.2: 0 is none, 1 CRC32. Linux, Documentation/staging/xz.rst: the kernel's decoder has no others. */
const CHECK_CRC32 = 1;

/** What the bytes at `at` are compressed with, by the signatures that a kernel looks at; undefined where it would see none. */
export function compressionAt(bytes: Uint8Array, at: number): InitramfsCompression | undefined {
	const start = Buffer.from(bytes.subarray(at, at + LONGEST_SIGNATURE)).toString("hex");
	return SIGNATURES.find(([, signature]) => start.startsWith(signature))?.[0];
}

/**
 * Decompresses one segment at `at`; `emit` gets its bytes, valid during the call only, and may throw to stop. Returns in words why it
 * cannot be decompressed.
 */
export async function decompressAt(
	compression: InitramfsCompression,
	bytes: Uint8Array,
	at: number,
	emit: (bytes: Uint8Array) => void,
): Promise<Decompressed | string> {
	switch (compression) {
		case "gzip":
			return gunzipMember(bytes, at, emit);
		case "zstd":
			return unzstdFrame(bytes, at, emit);
		case "xz": {
			const stream = decodeXzStream(bytes, at, emit);
			if (typeof stream === "string") return stream;
			if (stream.check <= CHECK_CRC32) return { end: stream.end };
			const refusedByKernel = "its integrity check is not CRC32, the only one that the kernel's xz decoder knows";
			return { end: stream.end, refusedByKernel };
		}
		case "lz4":
			return unlz4Legacy(bytes, at, emit);
		default:
			return `${compression} is not looked into`;
	}
}

/** RFC 1952, 2.3: member header, deflate data, CRC32 and size. */
async function gunzipMember(
	bytes: Uint8Array,
	start: number,
	emit: (bytes: Uint8Array) => void,
): Promise<Decompressed | string> {
	const flags = bytes[start + 3] ?? 0;
	let at = start + 10;
	if ((flags & 4) !== 0) at += 2 + (bytes[at] ?? 0) + 256 * (bytes[at + 1] ?? 0);
	for (const flag of [8, 16]) if ((flags & flag) !== 0) at = bytes.indexOf(0, at) + 1;
	if ((flags & 2) !== 0) at += 2;
	if (at < start + 10 || at >= bytes.byteLength) return "it ends within its gzip header";

	const inflater = createInflateRaw({ chunkSize: MiB });
	const feeding = feed(inflater, bytes.subarray(at));
	try {
		for await (const chunk of inflater) emit(chunk as Buffer);
	} catch (error) {
		if (error instanceof Error && "code" in error && String(error.code).startsWith("Z_"))
			return `its gzip data is broken: ${error.message}`;
		throw error;
	} finally {
		inflater.destroy();
		await feeding;
	}
	const end = at + inflater.bytesWritten + 8;
	return end > bytes.byteLength ? "it ends within its gzip data" : { end };
}

async function feed(inflater: ReturnType<typeof createInflateRaw>, bytes: Uint8Array): Promise<void> {
	let settle: () => void = () => {};
	inflater.once("close", () => settle());
	inflater.once("end", () => settle());
	inflater.once("error", () => settle());
	for (let at = 0; at < bytes.byteLength; at += MiB) {
		if (inflater.destroyed || inflater.readableEnded) return;
		await new Promise<void>((resolve) => {
			settle = resolve;
			inflater.write(bytes.subarray(at, at + MiB), () => resolve());
		});
	}
	if (!inflater.destroyed) inflater.end();
}

function unzstdFrame(bytes: Uint8Array, at: number, emit: (bytes: Uint8Array) => void): Decompressed | string {
	const end = zstdFrameEnd(bytes, at);
	if (typeof end === "string") return end;
	try {
		const inflater = new ZstdInflater();
		inflater.push(bytes.subarray(at, end), emit);
		inflater.finish();
	} catch (error) {
		if (error instanceof Oci2isoError && /ZSTD/.test(error.code)) return error.what;
		throw error;
	}
	return { end };
}

/** RFC 8878, 3.1.1: the frame's extent follows from its block headers. */
function zstdFrameEnd(bytes: Uint8Array, start: number): number | string {
	const header = decodeZstdFrameHeader(bytes.subarray(start, start + 18));
	if (header === undefined || typeof header === "string") return header ?? "it ends within its zstd header";
	let at = start + header.byteLength;
	for (;;) {
		const low = bytes[at];
		const middle = bytes[at + 1];
		const high = bytes[at + 2];
		if (low === undefined || middle === undefined || high === undefined) return "it ends within a zstd frame";
		const word = low | (middle << 8) | (high << 16);
		at += 3 + (((word >> 1) & 3) === 1 ? 1 : word >> 3);
		if ((word & 1) === 1) break;
	}
	const end = at + (header.hasChecksum ? 4 : 0);
	return end > bytes.byteLength ? "it ends within a zstd frame" : end;
}

const LZ4_LEGACY_MAGIC = 0x184c2102;
const LZ4_LEGACY_BLOCK_BYTES = 8 * MiB;

/** lz4_Frame_format.md, "Legacy frame": magic, then blocks of a size and at most 8 MiB of content; it ends with the data or at another magic. */
function unlz4Legacy(bytes: Uint8Array, start: number, emit: (bytes: Uint8Array) => void): Decompressed | string {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const output = Buffer.allocUnsafeSlow(LZ4_LEGACY_BLOCK_BYTES);
	let at = start + 4;
	while (at + 4 <= bytes.byteLength) {
		const size = view.getUint32(at, true);
		if (size === LZ4_LEGACY_MAGIC || size === 0) break;
		if (at + 4 + size > bytes.byteLength) {
			// What follows is no block: the next segment, or padding that is not a multiple of 4.
			if (at > start + 4) break;
			return "it ends within an lz4 block";
		}
		const length = decodeLz4Block(bytes.subarray(at + 4, at + 4 + size), output);
		if (length === undefined) return "its lz4 data is broken";
		emit(output.subarray(0, length));
		at += 4 + size;
	}
	return { end: at };
}

/** A kernel module's or other small file's content: decompressed where its name ends in .gz, .xz or .zst. Undefined where that fails. */
export async function expandFile(name: string, bytes: Uint8Array, maxBytes: number): Promise<Buffer | undefined> {
	if (!/\.(gz|xz|zst)$/.test(name)) return Buffer.from(bytes);
	const compression = compressionAt(bytes, 0);
	if (compression === undefined) return undefined;
	const pieces: Buffer[] = [];
	let byteLength = 0;
	const result = await decompressAt(compression, bytes, 0, (piece) => {
		byteLength += piece.byteLength;
		if (byteLength <= maxBytes) pieces.push(Buffer.from(piece));
	});
	return typeof result === "string" || byteLength > maxBytes ? undefined : Buffer.concat(pieces);
}
