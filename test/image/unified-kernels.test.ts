import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { buildIso, inspectImage, verifyAgainstImage } from "../../src/index.ts";
import { FIXTURE_NEEDS } from "../support/fixture.ts";
import { withExtraLayer } from "../support/large-layout.ts";
import { mediumFiles } from "../support/medium-files.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { type TarMember, tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { thinImage } from "../support/thin-image.ts";
import { makeProgram } from "../support/verify-programs.ts";

const platform = "linux/amd64";
const LIVE = "root=live:CDLABEL=Oci2iso-Live rd.live.image rd.live.overlay.overlayfs=1";
const PATH = "EFI/Linux/debian-12.efi";

describe.skipIf(requires(...FIXTURE_NEEDS, "xorriso", "grub-script-check"))(
	"an image with unified kernel images",
	() => {
		const work = temporaryDirectory("unified-kernels");
		let base = "";
		let version = "";
		let kernel: Buffer;
		let initramfs: Buffer;
		let images = 0;

		/** As ukify makes one. */
		const unified = (commandLine: string, sections: Readonly<Record<string, Uint8Array>> = {}): Buffer =>
			makeProgram({
				".text": Buffer.alloc(600, "stub"),
				".osrel": Buffer.from('PRETTY_NAME="It\'s Debian"\n'),
				".cmdline": Buffer.from(`${commandLine}\n\0`),
				".uname": Buffer.from(version),
				".initrd": initramfs,
				".linux": kernel,
				...sections,
			});
		const imageOf = (members: readonly TarMember[]): Promise<string> =>
			withExtraLayer(base, join(work, `image-${++images}`), (append) => append(tarArchive(members)));
		const file = (path: string, content: Buffer): TarMember => ({ type: "file", path, content });
		const built = async (image: string, options: { readonly bootloader?: "systemd-boot" } = {}) => {
			const iso = join(work, `${images}.iso`);
			const report = await buildIso({ image, platform, output: iso, comp: "lz4", overwrite: true, ...options });
			return { iso, report, files: await mediumFiles(iso) };
		};
		const menuOn = async (iso: string, path: string): Promise<string> => {
			const menu = join(work, "menu.cfg");
			await run("xorriso", ["-osirrox", "on", "-indev", iso, "-extract", `/${path}`, menu]);
			await run("grub-script-check", [menu]);
			const text = await readFile(menu, "utf8");
			await run("rm", ["-f", menu]);
			return text;
		};
		const failures = (checks: Awaited<ReturnType<typeof verifyAgainstImage>>["checks"]) =>
			checks.filter(({ status }) => status === "fail");

		beforeAll(async () => {
			base = await thinImage();
			version = (await inspectImage(`oci:${base}:latest`, { platform })).kernel?.version ?? "";
			const directory = `usr/lib/modules/${version}`;
			const names = [`*${directory}/vmlinuz`, `*${directory}/initramfs.img`];
			for (const name of await readdir(join(base, "blobs/sha256"))) {
				const layer = join(base, "blobs/sha256", name);
				await run("tar", ["-xf", layer, "-C", work, "--wildcards", ...names]).catch(() => "");
			}
			kernel = await readFile(join(work, directory, "vmlinuz"));
			initramfs = await readFile(join(work, directory, "initramfs.img"));
		});

		it("offers them where GRUB's root is, and has kernel and initramfs out of one where nothing else has them", async () => {
			const gone = [
				...["vmlinuz", "initramfs.img"].map((name) => `usr/lib/modules/${version}/.wh.${name}`),
				...[`vmlinuz-${version}`, `initrd.img-${version}`].map((name) => `boot/.wh.${name}`),
			].map((path) => file(path, Buffer.alloc(0)));
			const disk = makeProgram({ ".cmdline": Buffer.from("root=/dev/sda1"), ".linux": Buffer.alloc(9) });
			const image = await imageOf([
				...gone,
				file("boot/EFI/Linux/debian-12+3-1.efi", unified(LIVE)),
				file("boot/EFI/Linux/disk.efi", disk),
			]);
			const { iso, report, files } = await built(image);
			const { checks } = await verifyAgainstImage(iso, { image, platform });
			expect(failures(checks)).toEqual([]);
			expect([...files.keys()].filter((path) => path.startsWith("EFI/Linux/"))).toEqual([PATH]);
			const digestOf = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
			expect(files.get("images/pxeboot/vmlinuz")?.sha256).toBe(digestOf(kernel));
			expect(files.get("images/pxeboot/initrd.img")?.sha256).toBe(digestOf(initramfs));
			expect(await menuOn(iso, "EFI/BOOT/grub.cfg")).toContain(
				`menuentry 'It'\\''s Debian (${version}), unified kernel image' --class gnu-linux --class gnu --class os {\n\tchainloader /${PATH}\n}\n`,
			);
			for (const path of ["boot/grub2/grub.cfg", "boot/grub/loopback.cfg"])
				expect(await menuOn(iso, path)).not.toContain("chainloader");
			const codes = report.choices.map(({ code }) => code).filter((code) => /KERNEL/.test(code));
			expect(codes.sort()).toEqual([
				...["KERNEL_FALLBACK", "KERNEL_FALLBACK", "UNIFIED_KERNEL", "UNIFIED_KERNEL_NOT_LIVE"],
			]);
			expect(report.addedFiles.map((each) => each.iso)).toContain(`/${PATH}`);
			const told = report.checks.findings.map(({ code, blocks }) => [code, blocks]);
			expect(told).toContainEqual(["UNIFIED_KERNEL_NOT_SIGNED", []]);
		});

		it("has them where systemd-boot finds them by itself", async () => {
			const loader = makeProgram({ ".sdmagic": Buffer.from("#### LoaderInfo: systemd-boot 257 ####") });
			const image = await imageOf([
				file("boot/efi/EFI/debian/systemd-bootx64.efi", loader),
				file("boot/EFI/Linux/debian-12.efi", unified(LIVE)),
			]);
			const { iso, report, files } = await built(image, { bootloader: "systemd-boot" });
			const { checks } = await verifyAgainstImage(iso);
			expect(files.has(PATH)).toBe(true);
			expect(report.addedFiles).toContainEqual(expect.objectContaining({ efiImage: `/${PATH}` }));
			// Nobody signed that systemd-boot.
			expect(failures(checks).map(({ name }) => name)).toEqual(["secure-boot"]);
			expect(checks.find(({ name }) => name === "uefi-usb")?.detail).toBe("shim, systemd-boot, 3 menu entries");
		});

		it.each<[string, () => readonly TarMember[], string, RegExp]>([
			[
				"another label",
				() => [file("boot/EFI/Linux/a.efi", unified("root=live:CDLABEL=Another rd.live.image"))],
				"MENU_LABEL",
				/^unified kernel image a\.efi: menu entry/,
			],
			[
				"no initramfs",
				() => [file("boot/EFI/Linux/a.efi", unified(LIVE, { ".initrd": Buffer.alloc(0) }))],
				"UNIFIED_KERNEL_NO_INITRAMFS",
				/^unified kernel image a\.efi: /,
			],
			[
				"a kernel that is none",
				() => [file("boot/EFI/Linux/a.efi", unified(LIVE, { ".linux": Buffer.alloc(4096) }))],
				"KERNEL_NOT_BOOTABLE",
				/^unified kernel image a\.efi: /,
			],
			[
				"a file that is cut off",
				() => [file("boot/EFI/Linux/a.efi", unified(LIVE).subarray(0, 4096))],
				"UNIFIED_KERNEL_UNUSABLE",
				/a section goes beyond its end/,
			],
			[
				"a program for another machine",
				() => [file("boot/EFI/Linux/a.efi", makeProgram({ ".linux": Buffer.alloc(9) }, undefined, 0xaa64))],
				"UNIFIED_KERNEL_UNUSABLE",
				/it is a program for aarch64/,
			],
		])("is said to have %s, and boots all the same", async (_, members, code, what) => {
			const { findings, contract, isBootable } = await inspectImage(await imageOf(members()), { platform });
			expect([...findings, ...contract.choices].find((each) => each.code === code)?.what).toMatch(what);
			expect(isBootable).toBe(true);
		});
	},
);
