import { describe, expect, test } from "vitest";
import { bootFiles } from "../../../src/boot/boot-files.ts";
import { discInfo } from "../../../src/boot/disc-info.ts";
import { contractOf, fedoraImage } from "../contract/contract-images.ts";

describe("the boot files", () => {
	test("are where the reference puts them", async () => {
		const files = bootFiles(await contractOf(fedoraImage()), 1_769_731_234);
		const sourceOf = new Map(
			files.map(({ iso, content }) => [iso, content.kind === "image" ? content.file.path : content.kind]),
		);
		expect(Object.fromEntries(sourceOf)).toMatchObject({
			".discinfo": "generated",
			"EFI/BOOT/BOOTX64.EFI": "/boot/efi/EFI/fedora/shimx64.efi",
			"EFI/BOOT/mmx64.efi": "/boot/efi/EFI/fedora/mmx64.efi",
			"EFI/BOOT/grubx64.efi": "/boot/efi/EFI/fedora/gcdx64.efi",
			"EFI/BOOT/fonts/unicode.pf2": "/usr/share/grub/unicode.pf2",
			"EFI/BOOT/grub.cfg": "generated",
			"boot/grub/grub.cfg": "generated",
			"boot/grub/loopback.cfg": "generated",
			"boot/grub2/grub.cfg": "generated",
			"boot/grub2/i386-pc/boot_hybrid.img": "/usr/lib/grub/i386-pc/boot_hybrid.img",
			"boot/grub2/i386-pc/normal.mod": "/usr/lib/grub/i386-pc/normal.mod",
			"images/pxeboot/vmlinuz": "/usr/lib/modules/6.19.3-300.fc43.x86_64/vmlinuz",
			"images/pxeboot/initrd.img": "/usr/lib/modules/6.19.3-300.fc43.x86_64/initramfs.img",
		});
		expect(sourceOf.size).toBe(files.length);
		expect(files.flatMap(({ esp }) => (esp === undefined ? [] : [esp]))).toEqual([
			"EFI/BOOT/BOOTX64.EFI",
			"EFI/BOOT/mmx64.efi",
			"EFI/BOOT/grubx64.efi",
			"EFI/BOOT/fonts/unicode.pf2",
			"EFI/BOOT/grub.cfg",
			"boot/grub/grub.cfg",
		]);
	});

	test("have different menus for UEFI and BIOS, in UTF-8", async () => {
		const files = bootFiles(await contractOf(fedoraImage(), { label: "Ü-1" }), 0);
		const text = (path: string): string => {
			const content = files.find(({ iso }) => iso === path)?.content;
			return content?.kind === "generated" ? Buffer.from(content.bytes).toString("utf8") : "";
		};
		expect(text("EFI/BOOT/grub.cfg")).toContain("efi_gop");
		expect(text("boot/grub2/grub.cfg")).toContain("insmod chain");
		for (const path of ["EFI/BOOT/grub.cfg", "boot/grub2/grub.cfg"]) expect(text(path)).toContain("-l 'Ü-1'");
	});
});

test(".discinfo has time stamp, version and architecture on three lines", () => {
	expect(discInfo(1_769_731_234, "43", "x86_64")).toBe("1769731234.0\n43\nx86_64\n");
	expect(discInfo(0, undefined, "x86_64")).toBe("0.0\n\nx86_64\n");
	expect(discInfo(0, "4\n2", "x86_64")).toBe("0.0\n4 2\nx86_64\n");
});
