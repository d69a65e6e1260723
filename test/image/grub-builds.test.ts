import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { memorySource } from "../../src/binary/byte-source.ts";
import { buildIso } from "../../src/index.ts";
import { inspectImage } from "../../src/inspect/inspect.ts";
import { verifyIso } from "../../src/verify/verify-iso.ts";
import { FIXTURE_NEEDS } from "../support/fixture.ts";
import { withExtraLayer } from "../support/large-layout.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { thinImage } from "../support/thin-image.ts";

const missing = requires(...FIXTURE_NEEDS, "grub-mkimage", "tar", "/usr/lib/grub/x86_64-efi/normal.mod");
const MODULES = [
	...["normal", "configfile", "test", "true", "search", "search_fs_file", "search_label", "fat", "iso9660"],
	...["part_gpt", "memdisk", "tar", "linux", "gzio", "ext2", "all_video", "efi_gop", "video_bochs", "video_cirrus"],
];

interface GrubBuild {
	readonly name: string;
	readonly prefix: string;
	/** Early configuration. */
	readonly early?: string;
	/** `grub.cfg` of the memory disk. */
	readonly inMemory?: string;
	readonly modules?: readonly string[];
	/** Where the menu is put besides the standard places. */
	readonly extra?: readonly string[];
	/** `unknown` is neither. */
	readonly reaches: { readonly cd: boolean | "unknown"; readonly usb: boolean | "unknown" };
}

const GRUB_BUILDS: readonly GrubBuild[] = [
	{ name: "Fedora's prefix", prefix: "/EFI/BOOT", reaches: { cd: true, usb: true } },
	{
		name: "a vendor's prefix",
		prefix: "/EFI/vendor",
		extra: ["/EFI/vendor/grub.cfg"],
		reaches: { cd: true, usb: true },
	},
	{
		name: "a script of its own place",
		prefix: "/boot/grub",
		early: "normal (memdisk)/grub.cfg\n",
		inMemory: "if [ -e ($root)/own/menu.cfg ]; then configfile ($root)/own/menu.cfg; fi\n",
		extra: ["/own/menu.cfg"],
		reaches: { cd: true, usb: true },
	},
	{
		name: "a search for a file that only the ISO has",
		prefix: "/nowhere",
		early: "search.file /.discinfo root\nset prefix=($root)/boot/grub\n",
		reaches: { cd: true, usb: true },
	},
	{
		name: "a disk that a CD is not",
		prefix: "(hd0,gpt2)/boot/grub",
		reaches: { cd: false, usb: true },
	},
	{
		name: "no module for the menu",
		prefix: "/boot/grub",
		modules: ["fat", "iso9660", "part_gpt"],
		reaches: { cd: false, usb: false },
	},
	{
		name: "a command that is not modelled",
		prefix: "/boot/grub",
		early: "normal (memdisk)/grub.cfg\n",
		inMemory: 'eval "source (\\$root)/boot/grub/grub.cfg"\n',
		reaches: { cd: "unknown", usb: "unknown" },
	},
];

describe.skipIf(missing !== undefined)("inspect, build and verify agree on where GRUB for UEFI gets to", () => {
	let layout: string;
	const scratch = temporaryDirectory("grub-builds");
	beforeAll(async () => {
		layout = await thinImage();
	});

	async function makeGrub({ prefix, early, inMemory, modules = MODULES }: GrubBuild): Promise<Buffer> {
		const path = (name: string) => join(scratch, name);
		const options: string[] = [];
		if (early !== undefined) {
			await writeFile(path("early.cfg"), early);
			options.push("-c", path("early.cfg"));
		}
		if (inMemory !== undefined) {
			await writeFile(path("grub.cfg"), inMemory);
			await run("tar", ["-C", scratch, "-cf", path("memdisk.tar"), "grub.cfg"]);
			options.push("-m", path("memdisk.tar"));
		}
		// A memory disk brings a prefix of its own unless one comes after it.
		await run("grub-mkimage", [...options, "-O", "x86_64-efi", "-p", prefix, "-o", path("grub.efi"), ...modules]);
		return readFile(path("grub.efi"));
	}

	it.each(GRUB_BUILDS)("$name", async (grub) => {
		const content = await makeGrub(grub);
		const member = { path: "boot/efi/EFI/debian/gcdx64.efi", mode: 0o644, content };
		const directory = join(scratch, grub.name.replaceAll(" ", "-"));
		const image = await withExtraLayer(layout, directory, async (append) => append(tarArchive([member])));

		const inspection = await inspectImage(image, { platform: "linux/amd64" });
		const codes = inspection.findings.map(({ code }) => code).filter((code) => code.startsWith("GRUB_EFI_"));
		const code = { true: "GRUB_EFI_MENU", false: "GRUB_EFI_NO_MENU", unknown: "GRUB_EFI_NOT_KNOWN" };
		expect(codes).toEqual([
			code[`${grub.reaches.cd}`],
			code[`${grub.reaches.usb}`],
			...(grub.extra === undefined ? [] : ["GRUB_EFI_EXTRA_MENU"]),
		]);
		const isRefused = grub.reaches.cd === false || grub.reaches.usb === false;
		expect(inspection.bootPaths.uefi).toBe(isRefused ? "will not boot" : "expected to boot");

		const output = join(scratch, "grub.iso");
		const options = { image, output, overwrite: true, tools: "builtin", comp: "none" } as const;
		if (isRefused) await expect(buildIso(options)).rejects.toMatchObject({ code: "IMAGE_WOULD_NOT_BOOT" });
		const report = await buildIso({ ...options, force: isRefused });
		expect(report.addedFiles.map(({ iso }) => iso)).toEqual([
			"/boot/grub/grub.cfg",
			"/boot/grub/loopback.cfg",
			...(grub.extra ?? []),
		]);

		const { checks } = await verifyIso(memorySource(await readFile(output)), {
			mediaChecksum: false,
			secureBoot: false,
		});
		const status = (name: string) => checks.find((check) => check.name === name)?.status;
		const wanted = { true: "pass", false: "fail", unknown: "skipped" };
		expect([status("uefi-cd"), status("uefi-usb")]).toEqual([
			wanted[`${grub.reaches.cd}`],
			wanted[`${grub.reaches.usb}`],
		]);
		await rm(directory, { recursive: true, force: true });
	});
});
