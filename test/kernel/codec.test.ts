import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateRawSync, deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { KiB, MiB } from "../../src/binary/units.ts";
import { createCompressor } from "../../src/codec/compressor.ts";
import { kernelRefusal } from "../../src/codec/kernel-limits.ts";
import { patternedBytes } from "../../src/codec/self-test.ts";
import type { CodecName } from "../../src/codec/types.ts";
import { encodeXzContainer } from "../../src/codec/xz-container.ts";
import { loadNativeAddon } from "../../src/native/addon.ts";
import { requires } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const missing = requires("root", "mksquashfs", "mount", "umount", "xz", "zstd");
const addon = loadNativeAddon().addon;
const blockSizes = [4 * KiB, 128 * KiB, MiB];
const contentOf = (blockBytes: number): Buffer => patternedBytes(blockBytes);

const work = temporaryDirectory("kernel-codec");

function run(command: string, args: readonly string[], input?: Uint8Array): Buffer {
	const { status, stdout, stderr } = spawnSync(command, args, { input, maxBuffer: 64 * MiB });
	if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
	return stdout;
}

/** A squashfs by mksquashfs whose one file is one stored block; the block is then replaced by `block`. */
function imageWith(codec: CodecName, blockBytes: number, block: Uint8Array): string {
	const base = join(work, `${codec}-${blockBytes}`);
	mkdirSync(join(base, "tree"), { recursive: true });
	writeFileSync(join(base, "tree/file"), contentOf(blockBytes));
	const image = join(base, "image");
	run("mksquashfs", [
		...[join(base, "tree"), image, "-noappend", "-no-progress", "-quiet", "-comp", codec, "-b", String(blockBytes)],
		...["-noI", "-noD", "-noF", "-noX", "-no-xattrs"],
	]);
	const bytes = readFileSync(image);
	// Superblock: inode table at 64. Basic file inode: type 2, first block at 16, block sizes from 32.
	const inode = Number(bytes.readBigUInt64LE(64)) + 2;
	expect(bytes.readUInt16LE(inode)).toBe(2);
	expect(block.byteLength).toBeLessThanOrEqual(blockBytes);
	bytes.set(block, bytes.readUInt32LE(inode + 16));
	bytes.writeUInt32LE(block.byteLength, inode + 32);
	writeFileSync(image, bytes);
	return image;
}

/** Whether the kernel reads `block` as the content. */
function kernelReads(codec: CodecName, blockBytes: number, block: Uint8Array): boolean {
	const image = imageWith(codec, blockBytes, block);
	const mountPoint = join(work, "mnt");
	mkdirSync(mountPoint, { recursive: true });
	run("mount", ["-t", "squashfs", "-o", "loop,ro", image, mountPoint]);
	try {
		return readFileSync(join(mountPoint, "file")).equals(contentOf(blockBytes));
	} catch (error) {
		if (error instanceof Error && "code" in error && error.code === "EIO") return false;
		throw error;
	} finally {
		run("umount", [mountPoint]);
	}
}

async function encode(
	codec: CodecName,
	blockBytes: number,
	level: number,
	backend: "native" | "portable",
): Promise<Buffer> {
	const compressor = await createCompressor({ codec, blockBytes, threads: 1, level, backend });
	const buffer = compressor.acquire();
	contentOf(blockBytes).copy(buffer);
	let block: Buffer | undefined;
	compressor.submit(buffer, blockBytes, ({ compressed, bytes }) => {
		if (compressed) block = Buffer.from(bytes);
	});
	await compressor.settle(0);
	await compressor.close();
	if (block === undefined) throw new Error(`${codec} ${level} did not compress`);
	return block;
}

const xz =
	(...options: string[]) =>
	(content: Buffer): Buffer =>
		run("xz", ["-c", "-T1", ...options], content);
const zstd =
	(...options: string[]) =>
	(content: Buffer): Buffer =>
		run("zstd", ["-c", ...options], content);

describe.skipIf(missing !== undefined)("the kernel and kernelRefusal agree", () => {
	describe.skipIf(addon === undefined)("blocks of the native encoders are taken", () => {
		const settings = (
			[
				["zstd", [1, 3, 6, 9, 12, 15, 19, 22]],
				["gzip", [1, 6, 9, 12]],
				["xz", [0, 6, 9]],
				["lz4", [0, 3, 12]],
			] as const
		).flatMap(([codec, levels]) =>
			levels
				.filter((level) => level <= (addon?.codecs[codec]?.maxLevel ?? -1))
				.flatMap((level) => blockSizes.map((blockBytes) => [codec, level, blockBytes] as const)),
		);
		it.each(settings)("%s level %i, blocks of %i", async (codec, level, blockBytes) => {
			const block = await encode(codec, blockBytes, level, "native");
			expect(kernelRefusal(codec, block, blockBytes)).toBeUndefined();
			expect(kernelReads(codec, blockBytes, block)).toBe(true);
		});
	});

	it.each(blockSizes)("blocks of %i by portable encoders are taken", async (blockBytes) => {
		const content = contentOf(blockBytes);
		const dictionaryBytes = Math.max(blockBytes, 8 * KiB);
		const lzma2 = run("xz", ["-c", "--format=raw", `--lzma2=preset=6,dict=${dictionaryBytes}`], content);
		const blocks = [
			["gzip", await encode("gzip", blockBytes, 9, "portable")],
			["xz", encodeXzContainer(lzma2, content, dictionaryBytes)],
		] as const;
		for (const [codec, block] of blocks) {
			expect(kernelRefusal(codec, block, blockBytes)).toBeUndefined();
			expect(kernelReads(codec, blockBytes, block)).toBe(true);
		}
	});

	it.each([
		["zlib", "gzip", true, (content: Buffer) => deflateSync(content)],
		["zlib with a window of 8 KiB", "gzip", true, (content: Buffer) => deflateSync(content, { windowBits: 13 })],
		["raw deflate", "gzip", false, (content: Buffer) => deflateRawSync(content)],
		["xz without check", "xz", true, xz("--check=none", "--lzma2=preset=6,dict=128KiB")],
		["xz with CRC32", "xz", true, xz("--check=crc32", "--lzma2=preset=6,dict=128KiB")],
		["xz with CRC64", "xz", false, xz("--check=crc64", "--lzma2=preset=6,dict=128KiB")],
		["xz with SHA-256", "xz", false, xz("--check=sha256", "--lzma2=preset=6,dict=128KiB")],
		["xz with a dictionary of 192 KiB", "xz", false, xz("--check=crc32", "--lzma2=preset=6,dict=192KiB")],
		["xz -6", "xz", false, xz("--check=crc32", "-6")],
		["xz with x86 filter", "xz", true, xz("--check=crc32", "--x86", "--lzma2=preset=6,dict=128KiB")],
		["xz with delta filter", "xz", false, xz("--check=crc32", "--delta", "--lzma2=preset=6,dict=128KiB")],
		["xz with two branch filters", "xz", false, xz("--check=crc32", "--x86", "--arm", "--lzma2=preset=6,dict=128KiB")],
		["zstd -19 of a pipe", "zstd", false, zstd("-19")],
		["zstd -19 of a pipe with its size", "zstd", true, zstd("-19", "--stream-size=131072")],
		["zstd -1 of a pipe", "zstd", false, zstd("-1")],
		["zstd with a window of 128 KiB", "zstd", true, zstd("--zstd=wlog=17")],
		["zstd with a window of 256 KiB", "zstd", false, zstd("--zstd=wlog=18")],
	] as const)("%s", (_, codec, taken, make) => {
		const blockBytes = 128 * KiB;
		const block = make(contentOf(blockBytes));
		expect(kernelRefusal(codec, block, blockBytes) === undefined).toBe(taken);
		expect(kernelReads(codec, blockBytes, block)).toBe(taken);
	});
});
