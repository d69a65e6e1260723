import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { diskBootTail } from "../../../../../../src/boot/grub/core-layout.ts";
import { buildElToritoCore } from "../../../../../../src/boot/grub/made/core-image/build-core.ts";
import { DIRECTORY, type GrubDirectory, readerOf } from "./grub-directory.ts";
import { RECORDED, RECORDED_MODULE, RECORDED_PREFIX, recordedDirectory } from "./recorded-images.ts";

const PREFIX = "/boot/grub2";

function build(
	files: GrubDirectory = {},
	modules: readonly string[] = ["reader"],
	prefix = PREFIX,
): Promise<Uint8Array> {
	return buildElToritoCore(readerOf({ ...DIRECTORY, ...files }), { prefix, modules });
}

describe("buildElToritoCore", () => {
	test.each(RECORDED)("is what grub-mkimage made of the same files: $name", async (recorded) => {
		const options = { prefix: RECORDED_PREFIX, modules: [RECORDED_MODULE] };
		const image = await buildElToritoCore(readerOf(recordedDirectory(recorded)), options);
		const sha256 = createHash("sha256").update(image).digest("hex");
		expect([image.byteLength, sha256]).toEqual([recorded.byteLength, recorded.sha256]);
	});

	test.each([
		["GRUB_CDBOOT_SIZE", "cdboot.img", Buffer.alloc(2047)],
		["GRUB_DISKBOOT_FORMAT", "diskboot.img", Buffer.alloc(511)],
		["GRUB_DISKBOOT_FORMAT", "diskboot.img", Buffer.alloc(512)],
		["GRUB_DECOMPRESSOR_SIZE", "lzma_decompress.img", Buffer.alloc(23)],
		["GRUB_DECOMPRESSOR_SIZE", "lzma_decompress.img", Buffer.alloc(0x9000 - 0x8200 + 1)],
		["GRUB_KERNEL_FORMAT", "kernel.img", Buffer.alloc(0)],
		["GRUB_MODULE_DEPENDENCIES", "moddep.lst", Buffer.from("no list")],
	])("refuses with %s a %s that is not GRUB's", async (code, name, content) => {
		await expect(build({ [name]: content })).rejects.toMatchObject({
			code,
			kind: "contract",
			where: `i386-pc/${name}`,
		});
	});

	test.each(Object.keys(DIRECTORY))("names %s where it is missing", async (missing) => {
		const { [missing]: _, ...rest } = DIRECTORY;
		await expect(buildElToritoCore(readerOf(rest), { prefix: PREFIX, modules: ["reader"] })).rejects.toMatchObject({
			code: "GRUB_MODULE_MISSING",
			kind: "contract",
			where: `i386-pc/${missing}`,
		});
	});

	test("has diskboot.img load the last block, full or not", async () => {
		const withDecompressor = (byteLength: number) => build({ "lzma_decompress.img": Buffer.alloc(byteLength) });
		const over = ((await withDecompressor(100)).byteLength - 2560) % 512;
		for (const extraBytes of [-1, 0, 1]) {
			const image = await withDecompressor(100 + 512 - over + extraBytes);
			const blocks = Math.ceil((image.byteLength - 2560) / 512);
			expect(diskBootTail.decode(image, 2048).blockCount).toBe(blocks);
		}
	});

	test("fills the room below the real-mode code's memory to the last byte, and refuses more", async () => {
		const room = 0x78000 - 0x9000;
		const noise = createHash("shake256", { outputLength: room - 8500 }).digest();
		const withDecompressor = (byteLength: number) =>
			build({ "reader.mod": noise, "lzma_decompress.img": Buffer.alloc(byteLength) });
		const left = room - ((await withDecompressor(100)).byteLength - 2560);
		expect((await withDecompressor(100 + left)).byteLength).toBe(room + 2560);
		await expect(withDecompressor(101 + left)).rejects.toMatchObject({ code: "GRUB_CORE_TOO_BIG", kind: "tool" });
	});

	test("refuses modules that make the payload unreasonable before it compresses them", async () => {
		const half = new Uint8Array(600 * 1024);
		const tooBig = { code: "GRUB_CORE_TOO_BIG", kind: "tool" };
		await expect(build({ "reader.mod": half, "disk.mod": half })).rejects.toMatchObject(tooBig);
	});
});
