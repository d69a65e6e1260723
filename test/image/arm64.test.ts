import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type BuildReport, buildIso, inspectImage, verifyAgainstImage } from "../../src/index.ts";
import { contractLayers } from "../support/contract-image.ts";
import { mediumFiles } from "../support/medium-files.ts";
import { writeImage, writeIndexFile } from "../support/oci-layout.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

describe.skipIf(requires("xorriso", "sgdisk", "fsck.fat", "mcopy"))("the medium of an image for arm64", () => {
	const work = temporaryDirectory("arm64");
	const layout = join(work, "layout");
	const image = `oci:${layout}`;
	const iso = join(work, "arm64.iso");
	let report: BuildReport;

	beforeAll(async () => {
		const layers = (efi: "x64" | "aa64") =>
			contractLayers(efi === "x64" ? undefined : {}, efi).map((tar) => ({ tar, compression: "none" as const }));
		writeIndexFile(layout, [
			writeImage(layout, { layers: layers("x64") }).manifest,
			writeImage(layout, { layers: layers("aa64"), platform: "linux/arm64" }).manifest,
		]);
		report = await buildIso({ image, platform: "linux/arm64", output: iso, level: 1, force: true });
	});

	it("has the reference's tree for it, the menu where a GRUB looks that was started from a CD, and nothing for a BIOS", async () => {
		expect([...(await mediumFiles(iso)).keys()].sort()).toEqual([
			...[".discinfo", "EFI/BOOT/BOOTAA64.EFI", "EFI/BOOT/fonts/unicode.pf2", "EFI/BOOT/grub.cfg"],
			...[
				"EFI/BOOT/grubaa64.efi",
				"EFI/BOOT/mmaa64.efi",
				"LiveOS/squashfs.img",
				"boot/grub/grub.cfg",
				"boot/grub/loopback.cfg",
			],
			...["images/efiboot.img", "images/pxeboot/initrd.img", "images/pxeboot/vmlinuz"],
		]);
		expect(report.tools).toEqual([{ task: "media-checksum", used: "builtin" }]);
	});

	it("is found by firmware on a CD and on a USB disk: El Torito and GPT, no boot code", async () => {
		const told = await run("xorriso", ["-indev", iso, "-report_el_torito", "plain", "-report_system_area", "plain"]);
		expect(told.match(/^El Torito boot img.*$/gm)).toMatchObject(
			[/^El Torito boot img : +1 +UEFI +y +none +0x0000 +0x00 /].map((pattern) => expect.stringMatching(pattern)),
		);
		expect(told).toMatch(/^System area summary: MBR protective-msdos-label .*GPT$/m);
		expect(await run("sgdisk", ["--verify", iso])).toContain("No problems found");
		expect(await run("sgdisk", ["--print", iso])).toMatch(/ 2 .* EF00 {2}Appended2/);
	});

	it("is verified, and against the image", async () => {
		const { checks } = await verifyAgainstImage(iso, { image, platform: "linux/arm64", secureBoot: false });
		const byStatus = (status: string) => checks.filter((each) => each.status === status).map(({ name }) => name);
		// Its boot loaders are no programs.
		expect(byStatus("fail")).toEqual(["uefi-cd", "uefi-usb", "loopback"]);
		expect(byStatus("skipped")).toEqual(["boot-image", "bios-cd", "bios-usb", "secure-boot"]);
	});

	it("is inspected as one of a machine that has no BIOS", async () => {
		const { findings, bootPaths, grubModules } = await inspectImage(image, { platform: "linux/arm64" });
		expect(Object.keys(bootPaths)).toEqual(["uefi", "secure-boot"]);
		expect(grubModules).toBeUndefined();
		expect(findings.find(({ code }) => code === "KERNEL_NOT_BOOTABLE")?.containerfile?.debian).toContain("-arm64");
		expect(findings.find(({ code }) => code === "SHIM_NOT_EFI")?.containerfile?.fedora).toContain("shim-aa64");
	});

	it.skipIf(process.arch === "arm64")("is refused at once where the image's own tools are to run", async () => {
		const options = { image, platform: "linux/arm64", output: join(work, "none.iso"), tools: "buildroot" } as const;
		await expect(buildIso(options)).rejects.toMatchObject({ code: "TOOL_FOREIGN_ARCHITECTURE", exitStatus: 7 });
	});
});
