import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type BuildReport, buildIso, inspectImage, verifyAgainstImage } from "../../src/index.ts";
import { contractLayers } from "../support/contract-image.ts";
import { mediumFiles } from "../support/medium-files.ts";
import { writeImage, writeIndexFile, writeOciLayout } from "../support/oci-layout.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { type TarMember, tarArchive } from "../support/tar-fixtures.ts";
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

	it("offers device trees that are asked for, and says that there are some where none is", async () => {
		const directory = "usr/lib/linux-image-1.0";
		const tree = Buffer.alloc(64);
		tree.writeUInt32BE(0xd00dfeed);
		const members: TarMember[] = [
			{ path: `${directory}/qcom/x13s.dtb`, content: tree },
			{ path: `${directory}/none.dtb`, content: Buffer.alloc(64) },
		];
		const layers = [...contractLayers({}, "aa64"), tarArchive(members)].map((tar) => ({
			tar,
			compression: "none" as const,
		}));
		const { reference } = writeOciLayout(join(work, "trees"), { layers, platform: "linux/arm64" });
		const options = { platform: "linux/arm64", devicetree: ["qcom/x13s.dtb"] };
		const output = join(work, "trees.iso");
		await buildIso({ ...options, image: reference, output, level: 1, force: true });
		expect((await mediumFiles(output)).get("images/pxeboot/dtb/qcom/x13s.dtb")?.sizeBytes).toBe(64);
		const menu = join(work, "grub.cfg");
		await run("xorriso", ["-osirrox", "on", "-indev", output, "-extract", "/EFI/BOOT/grub.cfg", menu]);
		expect(await readFile(menu, "utf8")).toMatch(
			/\nsubmenu 'Device tree qcom\/x13s\.dtb' \{\nmenuentry [^\n]*\n\tlinux [^\n]*\n\tdevicetree \/images\/pxeboot\/dtb\/qcom\/x13s\.dtb\n\tinitrd /,
		);
		const { checks } = await verifyAgainstImage(output, {
			image: reference,
			platform: "linux/arm64",
			secureBoot: false,
		});
		expect(checks.find(({ name }) => name === "medium")?.status).toBe("pass");

		const violationsOf = async (...devicetree: string[]) =>
			(await inspectImage(reference, { ...options, devicetree })).contract.violations.map(({ code }) => code);
		expect(await violationsOf("none.dtb", "a.dtb")).toEqual(["DEVICE_TREE_MISSING", "DEVICE_TREE_INVALID"]);
		const { contract } = await inspectImage(reference, { platform: "linux/arm64" });
		expect(contract.choices.find(({ code }) => code === "DEVICE_TREES")?.where).toBe(`/${directory}`);
		await expect(violationsOf("../etc/passwd.dtb")).rejects.toMatchObject({ code: "INVALID_OPTION" });
	});

	it.skipIf(process.arch === "arm64")("is refused at once where the image's own tools are to run", async () => {
		const options = { image, platform: "linux/arm64", output: join(work, "none.iso"), tools: "buildroot" } as const;
		await expect(buildIso(options)).rejects.toMatchObject({ code: "TOOL_FOREIGN_ARCHITECTURE", exitStatus: 7 });
	});
});
