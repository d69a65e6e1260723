import { describe, expect, it } from "vitest";
import { isExpectedPath } from "../../../src/inspect/expected-paths.ts";

describe("isExpectedPath", () => {
	it.each([
		"etc/os-release",
		"usr/lib/image-builder/bootc/iso.yaml",
		"usr/lib/modules/6.12.0-1.fc43.x86_64/vmlinuz",
		"lib/modules/6.1/modules.dep",
		"boot/initrd.img-6.1.0-9-amd64",
		"boot/efi/EFI/fedora/shimx64.efi",
		"boot/efi/EFI/BOOT/BOOTX64.EFI",
		"usr/lib/bootupd/updates/EFI/fedora/gcdx64.efi",
		"usr/lib/efi/shim/15.8-3/EFI/fedora/mmx64.efi",
		"usr/lib/shim/shimx64.efi.signed.latest",
		"usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed",
		"usr/share/efi/x86_64/MokManager.efi",
		"usr/share/grub2/i386-pc/normal.mod",
		"boot/Image-6.1",
		"etc/ld.so.conf.d/x86_64-linux-gnu.conf",
		"sbin/grub-mkimage",
		"usr/bin/implantisomd5",
		"lib64/ld-linux-x86-64.so.2",
		"lib/ld-musl-x86_64.so.1",
		"usr/lib/x86_64-linux-gnu/libc.so.6",
		"usr/lib/x86_64-linux-gnu/libc-2.31.so",
		"usr/lib64/liblzma.so.5.4.1",
		"lib/x86_64-linux-gnu/libdevmapper.so.1.02.1",
	])("%s", (path) => expect(isExpectedPath(path)).toBe(true));

	it.each([
		"",
		"os-release",
		"etc/os-release/x",
		"usr/lib/modules/vmlinuz",
		"usr/lib/modules/6.1/kernel/vmlinuz",
		"boot/vmlinuz-",
		"boot/efi/EFI/fedora/.efi",
		"boot/efi/EFI/fedora/shimx64.efi.bak",
		"usr/lib/a/b/libc.so.6",
		"usr/lib/libcurl.so.4",
		"opt/lib/libc.so.6",
	])("not %j", (path) => expect(isExpectedPath(path)).toBe(false));

	it("takes time in proportion to the path", () => {
		// Each of these would take hours with as many ways to match as there are dots.
		const long = 4_000_000;
		const paths = [
			`lib/x/libc-${".1".repeat(long)}x`,
			`lib/x/libc.so${".".repeat(2 * long)}/`,
			`boot/efi/EFI/${"/".repeat(2 * long)}.efi`,
			`usr/lib/modules/${"vmlinuz/".repeat(long / 4)}`,
			`usr/lib/shim/${".efi.signed".repeat(long / 4)}`,
		];
		expect(paths.map(isExpectedPath)).toEqual([false, false, false, false, false]);
	});
});
