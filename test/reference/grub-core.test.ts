import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decompressorHead } from "../../src/boot/grub/core-layout.ts";
import { buildElToritoCore, type GrubFileReader } from "../../src/boot/grub/made/core-image/build-core.ts";
import { requires } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { bigContent, smallContent } from "../unit/boot/grub/made/core-image/contents.ts";
import {
	CODE_FLAGS,
	DATA_FLAGS,
	DIRECTORY,
	kernelElf,
	NOBITS,
	PROGBITS,
	readerOf,
} from "../unit/boot/grub/made/core-image/grub-directory.ts";
import {
	RECORDED,
	RECORDED_MODULE,
	RECORDED_PREFIX,
	recordedDirectory,
} from "../unit/boot/grub/made/core-image/recorded-images.ts";

const MODULE_DIRECTORY = "/usr/lib/grub/i386-pc";
const KERNEL = join(MODULE_DIRECTORY, "kernel.img");
const DECOMPRESSOR_START = 2048 + 512;
const SEED = 20_261_129;

/** The reference converter's set; one that brings most of GRUB along; one with a deep tree of dependencies; none. */
const MODULE_SETS = [
	["biosdisk", "part_gpt", "iso9660"],
	["normal", "linux", "gfxterm_background", "gfxmenu", "squash4", "png", "test", "search"],
	["zfs", "part_msdos", "luks2", "btrfs"],
	[],
];

describe.skipIf(requires("grub-mkimage", "xz", ...(existsSync(KERNEL) ? [] : [KERNEL])))("grub-mkimage", () => {
	const work = temporaryDirectory("grub-core");

	/** Its image, or what it said when it made none. */
	function byTool(directory: string, prefix: string, modules: readonly string[]): Buffer | string {
		const output = join(work, "core.img");
		const format = ["--format", "i386-pc-eltorito", "--compression", "auto"];
		const args = ["--directory", directory, "--prefix", prefix, ...format, "--output", output, ...modules];
		const { status, stderr } = spawnSync("grub-mkimage", args, { encoding: "utf8" });
		return status === 0 ? readFileSync(output) : stderr;
	}

	function written(files: Readonly<Record<string, Uint8Array>>): string {
		const directory = mkdtempSync(join(work, "grub-"));
		for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
		return directory;
	}

	const installed: GrubFileReader = async (name) => readFileSync(join(MODULE_DIRECTORY, name));

	async function expectSame(prefix: string, modules: readonly string[]): Promise<void> {
		const tools = byTool(MODULE_DIRECTORY, prefix, modules);
		if (typeof tools === "string") throw new Error(tools);
		expect(Buffer.compare(await buildElToritoCore(installed, { prefix, modules }), tools)).toBe(0);
	}

	test.each(MODULE_SETS.map((modules) => [modules.join(" "), modules] as const))(
		"makes the same image, with modules [%s]",
		async (_, modules) => expectSame("/boot/grub2", modules),
	);

	test("writes prefixes of any length as we do", async () => {
		for (const prefix of ["/", "/a", "/ab", "/abc", "(cd0)/boot/grub"]) await expectSame(prefix, ["biosdisk"]);
	});

	test("makes the same of modules on their own", async () => {
		const names = readdirSync(MODULE_DIRECTORY).filter((name) => name.endsWith(".mod"));
		for (const name of names.filter((_, index) => index % 24 === 0)) {
			await expectSame("/boot/grub2", [name.slice(0, -".mod".length)]);
		}
	});

	test("makes the same of any kernel, modules and prefix", async () => {
		const content = fc.oneof({ weight: 1, arbitrary: smallContent }, { weight: 3, arbitrary: bigContent });
		const kernel = fc.record({
			code: smallContent,
			gap: fc.nat(300),
			data: smallContent,
			zeroed: fc.nat(5000),
		});
		const prefix = fc
			.array(fc.constantFrom("boot", "grub2", "x y", "(cd0)"), { maxLength: 3 })
			.map((names) => `/${names.join("/")}`);
		let made = 0;
		const isSame = fc.asyncProperty(
			kernel,
			prefix,
			fc.array(content, { maxLength: 3 }),
			async ({ code, gap, data, zeroed }, path, contents) => {
				const dataAt = 0x9000 + code.byteLength + gap;
				const names = contents.map((_, index) => `module${index}`);
				const files = {
					...DIRECTORY,
					"kernel.img": kernelElf([
						{ type: PROGBITS, flags: CODE_FLAGS, address: 0x9000, content: code },
						{ type: PROGBITS, flags: DATA_FLAGS, address: dataAt, content: data },
						{ type: NOBITS, flags: DATA_FLAGS, address: dataAt + data.byteLength, byteLength: zeroed },
					]),
					"moddep.lst": Buffer.from(
						names
							.map((name) => `${name}: ${names[0]}\n`)
							.join("")
							.replace(": module0", ":"),
					),
					...Object.fromEntries(contents.map((bytes, index) => [`module${index}.mod`, bytes])),
				};
				const directory = written(files);
				const tools = byTool(directory, path, names);
				rmSync(directory, { recursive: true });
				if (typeof tools === "string") {
					// It has room for a stream as long as its content, no more.
					expect(tools).toMatch(/cannot compress|is too big/);
					return;
				}
				made++;
				const ours = await buildElToritoCore(readerOf(files), { prefix: path, modules: names });
				expect(Buffer.compare(ours, tools)).toBe(0);
			},
		);
		await fc.assert(isSame, { seed: SEED, numRuns: 60 });
		expect(made).toBeGreaterThan(40);
	});

	test.each(RECORDED)("still makes what was recorded: $name", (recorded) => {
		const tools = byTool(written(recordedDirectory(recorded)), RECORDED_PREFIX, [RECORDED_MODULE]);
		const sha256 = execFileSync("sha256sum", { input: tools }).toString("latin1", 0, 64);
		expect([tools.length, sha256]).toEqual([recorded.byteLength, recorded.sha256]);
	});

	test("is not needed to read our stream: xz reads it", async () => {
		const image = await buildElToritoCore(installed, { prefix: "/boot/grub2", modules: ["normal"] });
		const { uncompressedBytes } = decompressorHead.decode(image, DECOMPRESSOR_START);
		const decompressorBytes = readFileSync(join(MODULE_DIRECTORY, "lzma_decompress.img")).length;
		const header = Buffer.alloc(13);
		// lc + 9 * (lp + 5 * pb), then the dictionary's size: the .lzma format's header.
		header.writeUInt8(3 + 9 * 5 * 2, 0);
		header.writeUInt32LE(1 << 16, 1);
		header.writeBigUInt64LE(BigInt(uncompressedBytes), 5);
		const plain = execFileSync("xz", ["--format=lzma", "--decompress", "--stdout"], {
			input: Buffer.concat([header, image.subarray(DECOMPRESSOR_START + decompressorBytes)]),
		});
		expect(plain.byteLength).toBe(uncompressedBytes);
	});
});
