import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { memorySource } from "../../src/binary/byte-source.ts";
import { type BuildReport, buildIso, inspectImage, verifyAgainstImage } from "../../src/index.ts";
import { verifyIso } from "../../src/verify/verify-iso.ts";
import { debianFixture, FIXTURE_NEEDS, newestProfile } from "../support/fixture.ts";
import { withExtraLayer } from "../support/large-layout.ts";
import { mediumFiles } from "../support/medium-files.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

describe.skipIf(requires(...FIXTURE_NEEDS, "xorriso", "mdir", "mcopy"))("an ISO that systemd-boot starts", () => {
	const work = temporaryDirectory("systemd-boot");
	const iso = join(work, "debian.iso");
	let image = "";
	let report: BuildReport;

	beforeAll(async () => {
		image = `oci:${await debianFixture(await newestProfile())}:latest`;
		report = await buildIso({ image, output: iso, comp: "lz4", bootloader: "systemd-boot" });
	});

	it("has what it reads on the EFI system partition, and nothing for a BIOS", async () => {
		const files = [...(await mediumFiles(iso)).keys()].sort();
		const loader = ["loader/entries/1.conf", "loader/entries/2.conf", "loader/loader.conf"];
		const kernel = ["images/pxeboot/initrd.img", "images/pxeboot/vmlinuz"];
		const programs = ["EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/grubx64.efi", "EFI/BOOT/mmx64.efi"];
		const loopback = "boot/grub/loopback.cfg";
		expect(files).toEqual([".discinfo", ...programs, "LiveOS/squashfs.img", loopback, ...kernel, ...loader]);
		const added = report.addedFiles.flatMap(({ efiImage }) => efiImage ?? []);
		expect(added.sort()).toEqual([...kernel, ...loader].map((path) => `/${path}`));
		expect(report.checks.bootPaths).toEqual({ uefi: "expected to boot", "secure-boot": "expected to boot" });
		const told = await run("xorriso", ["-indev", iso, "-report_el_torito", "plain"]);
		expect(told.match(/^El Torito boot img.*/gm)).toEqual([expect.stringContaining("UEFI")]);
	});

	it("is verified, and against the image", async () => {
		const { verdict, checks } = await verifyAgainstImage(iso, { image });
		expect(checks.filter(({ status }) => status === "fail")).toEqual([]);
		expect(verdict).toBe("pass");
		const detailOf = (name: string) => checks.find((each) => each.name === name)?.detail;
		expect(detailOf("uefi-usb")).toBe("shim, systemd-boot, 2 menu entries");
		expect(detailOf("bios-cd")).toBe("systemd-boot is for UEFI only");
	});

	it.each([
		["a kernel that is not on the partition", "linux /images/pxeboot/vmlinux2", "is not on the EFI system partition"],
		["another label", "options root=live:CDLABEL=Another-Live rd.live.image", "Another-Live"],
	])("does not pass with %s", async (_, line, said) => {
		const bytes = await readFile(iso);
		const key = line.slice(0, line.indexOf(" "));
		// In the tree and on the partition, in place.
		for (let at = bytes.indexOf(`\n${key} `); at >= 0; at = bytes.indexOf(`\n${key} `, at + 1)) {
			const end = bytes.indexOf("\n", at + 1);
			if (end - at > 500) continue;
			bytes.write(`\n${line}`.padEnd(end - at, " ").slice(0, end - at), at, "latin1");
		}
		const { checks } = await verifyIso(memorySource(bytes), { mediaChecksum: false, secureBoot: false });
		const { status, findings } = checks.find(({ name }) => name === "uefi-cd") ?? {};
		expect(status).toBe("fail");
		expect(JSON.stringify(findings)).toContain(said);
	});

	it("is made by itself of an image without a GRUB for media", async () => {
		const without = await withExtraLayer(image.slice(4, -":latest".length), join(work, "without"), async (append) => {
			const whiteouts = ["boot/efi/EFI/debian/.wh.gcdx64.efi", "usr/lib/grub/x86_64-efi-signed/.wh.gcdx64.efi.signed"];
			await append(tarArchive(whiteouts.map((path) => ({ type: "file", path, content: Buffer.alloc(0) }))));
		});
		const { contract, efi, bootPaths } = await inspectImage(without, { platform: "linux/amd64" });
		expect(efi?.bootLoader).toBe("systemd-boot");
		expect(contract.choices.map(({ code }) => code)).toContain("BOOT_LOADER_CHOICE");
		expect(bootPaths).toEqual({ uefi: "expected to boot", "secure-boot": "expected to boot" });
		const asked = await inspectImage(without, { platform: "linux/amd64", bootloader: "grub2" });
		expect(asked.contract.violations.map(({ code }) => code)).toEqual(["GRUB_EFI_MISSING"]);
	});
});
