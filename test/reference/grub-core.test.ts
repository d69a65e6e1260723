import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { decompressorHead, diskBootTail } from "../../src/grub/core-image/boot-parts.ts";
import { buildElToritoCore } from "../../src/grub/core-image/build-core.ts";
import { requires } from "../support/requires.ts";
import { decodeLzma } from "../unit/grub-core/lzma-decoder.ts";

const MODULE_DIRECTORY = "/usr/lib/grub/i386-pc";
const KERNEL = join(MODULE_DIRECTORY, "kernel.img");
const DECOMPRESSOR_START = 2048 + 512;

/** The reference converter's set; one that brings most of GRUB along; one with a deep tree of dependencies; none. */
const MODULE_SETS = [
	["biosdisk", "part_gpt", "iso9660"],
	["normal", "linux", "gfxterm_background", "gfxmenu", "squash4", "png", "test", "search"],
	["zfs", "part_msdos", "luks2", "btrfs"],
	[],
];

describe.skipIf(requires("grub-mkimage", "xz", ...(existsSync(KERNEL) ? [] : [KERNEL])))("grub-mkimage", () => {
	const work = mkdtempSync(join(tmpdir(), "oci2iso-grub-core-"));
	afterAll(() => rmSync(work, { recursive: true, force: true }));
	const decompressorBytes = existsSync(KERNEL) ? readFileSync(join(MODULE_DIRECTORY, "lzma_decompress.img")).length : 0;

	function byTool(prefix: string, modules: readonly string[]): Buffer {
		const output = join(work, "core.img");
		const format = ["--format", "i386-pc-eltorito", "--compression", "auto"];
		execFileSync(
			"grub-mkimage",
			["--directory", MODULE_DIRECTORY, "--prefix", prefix, ...format, "--output", output, ...modules],
			{ stdio: "pipe" },
		);
		return readFileSync(output);
	}

	async function byUs(prefix: string, modules: readonly string[]): Promise<Buffer> {
		const read = async (name: string) => readFileSync(join(MODULE_DIRECTORY, name));
		return Buffer.from(await buildElToritoCore(read, { prefix, modules }));
	}

	/** What is before the stream without the two fields that tell the stream's length, those fields, and the stream. */
	function parts(image: Buffer) {
		const head = decompressorHead.decode(image, DECOMPRESSOR_START);
		const tail = diskBootTail.decode(image, DECOMPRESSOR_START - 512);
		const start = DECOMPRESSOR_START + decompressorBytes;
		const code = Buffer.from(image.subarray(0, start));
		decompressorHead.encode({ ...head, compressedBytes: 0 }).copy(code, DECOMPRESSOR_START);
		diskBootTail.encode({ ...tail, blockCount: 0 }).copy(code, DECOMPRESSOR_START - 512);
		const { compressedBytes, uncompressedBytes } = head;
		return { code, compressedBytes, uncompressedBytes, blockCount: tail.blockCount, stream: image.subarray(start) };
	}

	test.each(MODULE_SETS.map((modules) => [modules.join(" "), modules] as const))(
		"makes the same image but for the encoding, with modules [%s]",
		async (_, modules) => {
			const reference = parts(byTool("/boot/grub2", modules));
			const ours = parts(await byUs("/boot/grub2", modules));
			expect(ours.code.equals(reference.code)).toBe(true);
			for (const { stream, compressedBytes, blockCount } of [reference, ours]) {
				expect(compressedBytes).toBe(stream.byteLength);
				expect(blockCount).toBe(Math.ceil((decompressorBytes + stream.byteLength) / 512));
			}
			const payload = decodeLzma(ours.stream, ours.uncompressedBytes).bytes;
			const expected = decodeLzma(reference.stream, reference.uncompressedBytes).bytes;
			expect(Buffer.compare(payload, expected)).toBe(0);
			expect(ours.stream.byteLength).toBeLessThan(reference.stream.byteLength * 1.03);
		},
	);

	test("writes prefixes of any length as we do", async () => {
		for (const prefix of ["/", "/a", "/ab", "/abc", "(cd0)/boot/grub"]) {
			const reference = parts(byTool(prefix, ["biosdisk"]));
			const ours = parts(await byUs(prefix, ["biosdisk"]));
			const payload = decodeLzma(ours.stream, ours.uncompressedBytes).bytes;
			expect(payload).toEqual(decodeLzma(reference.stream, reference.uncompressedBytes).bytes);
		}
	});

	test("is not needed to read our stream: xz reads it", async () => {
		const { stream, uncompressedBytes } = parts(await byUs("/boot/grub2", ["normal"]));
		const header = Buffer.alloc(13);
		// lc + 9 * (lp + 5 * pb), then the dictionary's size: the .lzma format's header.
		header.writeUInt8(3 + 9 * 5 * 2, 0);
		header.writeUInt32LE(1 << 16, 1);
		header.writeBigUInt64LE(BigInt(uncompressedBytes), 5);
		const plain = execFileSync("xz", ["--format=lzma", "--decompress", "--stdout"], {
			input: Buffer.concat([header, stream]),
		});
		expect(Buffer.compare(plain, decodeLzma(stream, uncompressedBytes).bytes)).toBe(0);
	});
});
