import { KiB } from "../binary/units.ts";
import { kernelRefusal } from "./kernel-limits.ts";
import type { BlockCompressor, BlockDecompressor } from "./types.ts";

const LARGEST_PATTERN_BYTES = 128 * KiB;
const METADATA_BLOCK_BYTES = 8 * KiB;

/** Compressible bytes with some noise in them, always the same. */
export function patternedBytes(byteLength: number): Buffer {
	const bytes = Buffer.alloc(byteLength);
	let state = 1;
	let at = 0;
	while (at < byteLength) {
		state = (Math.imul(state, 1103515245) + 12345) >>> 0;
		const word = words[(state >>> 16) % words.length];
		at += bytes.write(`${word} ${state % 7 === 0 ? state >>> 20 : "of"} `, at, "latin1");
	}
	return bytes;
}

const words = ["superblock", "fragment", "directory", "inode", "the volume descriptor", "block", "extent", "link"];

/**
 * Why the encoder behind `compressor` cannot be used, or undefined: it must shrink patterned bytes to less than half, within the
 * kernel's limits, and they must decode to what they were. Nothing may be in flight.
 */
export async function selfTestFailure(
	compressor: BlockCompressor,
	decompressor: BlockDecompressor,
	blockBytes: number,
): Promise<string | undefined> {
	const pattern = patternedBytes(Math.min(blockBytes, LARGEST_PATTERN_BYTES));
	const buffer = compressor.acquire();
	pattern.copy(buffer);
	let outcome: { compressed: boolean; bytes: Uint8Array } | undefined;
	compressor.submit(buffer, pattern.byteLength, ({ compressed, bytes }) => {
		outcome = { compressed, bytes: Buffer.from(bytes) };
	});
	const metadata = pattern.subarray(0, METADATA_BLOCK_BYTES);
	await compressor.settle(0);
	return (
		judge(compressor, decompressor, pattern, outcome, blockBytes) ??
		judge(compressor, decompressor, metadata, compressor.compressNow(metadata), blockBytes)
	);
}

function judge(
	{ codec }: BlockCompressor,
	decompressor: BlockDecompressor,
	pattern: Buffer,
	outcome: { readonly compressed: boolean; readonly bytes: Uint8Array } | undefined,
	blockBytes: number,
): string | undefined {
	if (outcome === undefined || !outcome.compressed || outcome.bytes.byteLength * 2 >= pattern.byteLength)
		return `it does not compress: ${pattern.byteLength} bytes of text became ${outcome?.bytes.byteLength}`;
	const refusal = kernelRefusal(codec, outcome.bytes, blockBytes);
	if (refusal !== undefined) return `the Linux kernel would refuse its blocks: ${refusal}`;
	const decoded = decompressor.decompress(outcome.bytes, pattern.byteLength);
	return pattern.equals(decoded) ? undefined : "its blocks do not decode to what was compressed";
}
