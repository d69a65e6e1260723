import { type ByteString, bytesOf } from "../binary/byte-string.ts";
import type { Contract, FoundFile } from "../contract/contract.ts";
import { discInfo } from "./disc-info.ts";
import { renderGrubConfig } from "./grub-config.ts";

/** Where the content comes from: a file of the image, with its attributes, or bytes made here (mode 0644, owner root). */
export type BootFileContent =
	| { readonly kind: "image"; readonly file: FoundFile }
	| { readonly kind: "generated"; readonly bytes: Uint8Array };

/** One file beside the squashfs, and every place it is in. Paths are relative, components separated by `/`. */
export interface BootFile {
	/** In the ISO's tree, or undefined. */
	readonly iso: ByteString | undefined;
	/** On the EFI system partition, or undefined. */
	readonly esp: ByteString | undefined;
	readonly content: BootFileContent;
}

/**
 * Every file of the ISO that needs no layout: boot loaders, menus, GRUB's modules, kernel, initramfs, `.discinfo`.
 * Not in it: `LiveOS/squashfs.img`, `images/efiboot.img`, `images/eltorito.img`.
 */
export function bootFiles(contract: Contract, epochSeconds: number): BootFile[] {
	const { efi, kernel, unicodeFont, grubModules } = contract;
	const image = (file: FoundFile): BootFileContent => ({ kind: "image", file });
	const text = (content: string): BootFileContent => ({ kind: "generated", bytes: Buffer.from(content, "utf8") });
	const both = (path: ByteString, content: BootFileContent): BootFile => ({ iso: path, esp: path, content });
	const isoOnly = (iso: ByteString, content: BootFileContent): BootFile => ({ iso, esp: undefined, content });
	return [
		both("EFI/BOOT/BOOTX64.EFI", image(efi.shim)),
		both("EFI/BOOT/mmx64.efi", image(efi.mokManager)),
		both("EFI/BOOT/grubx64.efi", image(efi.grub)),
		both("EFI/BOOT/fonts/unicode.pf2", image(unicodeFont)),
		both("EFI/BOOT/grub.cfg", text(renderGrubConfig(contract, "uefi"))),
		isoOnly("boot/grub2/grub.cfg", text(renderGrubConfig(contract, "bios"))),
		...grubModules.files.map(({ relativePath, file }) => isoOnly(`boot/grub2/i386-pc/${relativePath}`, image(file))),
		isoOnly("images/pxeboot/vmlinuz", image(kernel.vmlinuz)),
		isoOnly("images/pxeboot/initrd.img", image(kernel.initramfs)),
		isoOnly(".discinfo", {
			kind: "generated",
			bytes: bytesOf(discInfo(epochSeconds, contract.osRelease.versionId, contract.architecture)),
		}),
	];
}
