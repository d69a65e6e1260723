import type { ByteString } from "../binary/byte-string.ts";
import { type Machine, PC_BIOS } from "./machines.ts";

/** Where the ISO has what, from its root, without a leading slash. What is below `EFI` is on the EFI system partition too. */
export const ISO_PATHS = {
	/** Where dracut's dmsquash-live looks for the root file system. */
	rootFs: "LiveOS/squashfs.img",
	/** Container storage of images to install, a file system of its own. */
	store: "LiveOS/store.img",
	/** Where Debian's live-boot does: any `*.squashfs` in this directory. */
	liveBootSquashfs: "live/filesystem.squashfs",
	kernelDirectory: "images/pxeboot",
	kernel: "images/pxeboot/vmlinuz",
	deviceTreeDirectory: "images/pxeboot/dtb",
	initramfs: "images/pxeboot/initrd.img",
	/** GRUB for BIOS, which El Torito's catalog points to. */
	coreImage: "images/eltorito.img",
	/** A copy of the EFI system partition. */
	efiImage: "images/efiboot.img",
	discInfo: ".discinfo",
	biosDirectory: "boot/grub2",
	biosMenu: "boot/grub2/grub.cfg",
	efiDirectory: "EFI/BOOT",
	efiMenu: "EFI/BOOT/grub.cfg",
	/** Where Debian's builds of GRUB look. */
	otherEfiMenu: "boot/grub/grub.cfg",
	/** Where GRUBs look that start an ISO from a file on a disk. */
	loopbackMenu: "boot/grub/loopback.cfg",
	/** Of unified kernel images, where systemd-boot looks for them (Boot Loader Specification, type #2 entries). */
	unifiedKernelDirectory: "EFI/Linux",
	/** Of what the image adds to GRUB's menus. */
	grubAdditions: "boot/grub/custom",
	/** An OCI image layout of images to install, where installers of bootc-image-builder have theirs. */
	payloadLayout: "container",
	efiFont: "EFI/BOOT/fonts/unicode.pf2",
	/** Of systemd-boot (Boot Loader Specification): its settings, and a file for each entry. */
	loaderConfig: "loader/loader.conf",
	loaderEntries: "loader/entries",
} as const;

/** Of a theme, in the directory of what an image adds to GRUB's menus. */
export const GRUB_THEME = "theme/theme.txt";
/** Ends the names of GRUB's fonts. */
export const GRUB_FONT_SUFFIX = ".pf2";

/** Of a file that the image adds for GRUB's menus, by its path in the directory of them. */
export function grubAdditionPath(relativePath: ByteString): ByteString {
	return `${ISO_PATHS.grubAdditions}/${relativePath}`;
}

/** Of a kernel that is not the first, and of its initramfs. */
export function furtherKernelPaths(version: ByteString): Readonly<Record<"kernel" | "initramfs", ByteString>> {
	const directory = `${ISO_PATHS.kernelDirectory}/${version}`;
	return { kernel: `${directory}/vmlinuz`, initramfs: `${directory}/initrd.img` };
}

/** What the medium has beside directories of further kernels. */
export const TAKEN_KERNEL_NAMES: readonly string[] = [
	ISO_PATHS.kernel,
	ISO_PATHS.initramfs,
	ISO_PATHS.deviceTreeDirectory,
].map((path) => path.slice(ISO_PATHS.kernelDirectory.length + 1));

/** Of a system beside the first one: its root file system, where dracut looks for one of this name (`rd.live.squashimg`), and its kernel and initramfs. */
export function alsoPaths(name: string): Readonly<Record<"root" | "kernel" | "initramfs", ByteString>> {
	const directory = ISO_PATHS.rootFs.slice(0, ISO_PATHS.rootFs.lastIndexOf("/"));
	return { root: `${directory}/${name}.img`, ...furtherKernelPaths(name) };
}

/** Of a device tree, by its name below the kernel's directory of them. */
export function deviceTreePath(name: ByteString): ByteString {
	return `${ISO_PATHS.deviceTreeDirectory}/${name}`;
}

/** Of a unified kernel image, by its name. */
export function unifiedKernelPath(name: string): string {
	return `${ISO_PATHS.unifiedKernelDirectory}/${name}`;
}

/** Of what firmware and shim start. */
export function loaderPaths({ efi }: Machine): Readonly<Record<"loader" | "mokManager" | "grub", string>> {
	return { loader: loaderPath(efi.loader), mokManager: loaderPath(efi.mokManager), grub: loaderPath(efi.grub) };
}

/** Of one that is called so. */
export function loaderPath(name: string): string {
	return `${ISO_PATHS.efiDirectory}/${name}`;
}

/** Of a file of GRUB for BIOS, by its path in the image's directory of them. */
export function biosFilePath(relativePath: string): string {
	return `${ISO_PATHS.biosDirectory}/${PC_BIOS.name}/${relativePath}`;
}
