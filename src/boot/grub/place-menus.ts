import { byteStringFromText, displayName } from "../../binary/byte-string.ts";
import type { Contract } from "../../contract/contract.ts";
import { decodePe } from "../../formats/pe/pe-image.ts";
import type { ImageTree } from "../../tree/image-tree.ts";
import { MAX_EFI_BYTES } from "../boot-file-limits.ts";
import { type BootFile, type MenuPlace, STANDARD_MENUS, withMenus } from "../boot-files.ts";
import { ISO_PATHS } from "../iso-paths.ts";
import { findMenuPlaces } from "./menu-places.ts";
import { MAX_GRUB_CONFIG_BYTES } from "./model/shell.ts";

export interface AddedFile {
	/** Path in the ISO's tree; absent where it is not there. */
	readonly iso: string | undefined;
	/** Path in the EFI image; absent where it is not there. */
	readonly efiImage: string | undefined;
	readonly why: string;
}

/** `files`, as `bootFiles` has them, with the menu for UEFI wherever this image's GRUB looks for it, and which copies the contract does not have. */
export async function placeMenus(
	tree: Pick<ImageTree, "read">,
	contract: Contract,
	files: readonly BootFile[],
): Promise<{ readonly files: readonly BootFile[]; readonly added: readonly AddedFile[] }> {
	const liveBoot = files
		.filter(({ content }) => content.kind === "rootfs")
		.map((place) => describeAdded(place, "live-boot in the initramfs looks for the root file system there"));
	const loopback = describeAdded(
		{ iso: ISO_PATHS.loopbackMenu, esp: undefined },
		"GRUB reads it that starts the ISO from a file on a disk (loopback, iso_path)",
	);
	const unified = files
		.filter(({ iso }) => iso?.startsWith(`${ISO_PATHS.unifiedKernelDirectory}/`) === true)
		.map((file) => describeAdded(file, "a unified kernel image, which the menu for UEFI offers"));
	const ofImage = files
		.filter(({ iso }) => iso?.startsWith(`${ISO_PATHS.grubAdditions}/`) === true)
		.map((file) => describeAdded(file, "a font or a part of the theme that the image has for GRUB's menus"));
	if (contract.bootLoader === "systemd-boot")
		return { files, added: [...liveBoot, ...addedForSystemdBoot(files), loopback, ...unified] };
	const { inode } = contract.efi.secondStage;
	const program =
		inode.byteLength > MAX_EFI_BYTES ? "it is too large" : decodePe(await tree.read(inode, MAX_EFI_BYTES));
	const { extra } =
		typeof program === "string"
			? { extra: [] }
			: await findMenuPlaces(program, {
					label: byteStringFromText(contract.label),
					files,
					grubDirectory: `/${ISO_PATHS.efiDirectory}`,
					read: (file) => tree.read(file, MAX_GRUB_CONFIG_BYTES),
				});
	const standard = STANDARD_MENUS.filter(({ iso }) => iso !== ISO_PATHS.efiMenu);
	return {
		files: withMenus(files, extra),
		added: [
			...liveBoot,
			...standard.map((place) => describeAdded(place, "builds of GRUB for EFI with the prefix /boot/grub look there")),
			loopback,
			...unified,
			...ofImage,
			...extra.map((place) => describeAdded(place, "this image's GRUB for EFI looks there")),
		],
	};
}

/** Of what it reads, everything is on the EFI system partition. */
function addedForSystemdBoot(files: readonly BootFile[]): AddedFile[] {
	return files
		.filter(({ esp }) => esp !== undefined && !esp.startsWith("EFI/"))
		.map((file) => describeAdded(file, "systemd-boot reads it from the EFI system partition"));
}

function describeAdded({ iso, esp }: MenuPlace, why: string): AddedFile {
	return {
		iso: iso === undefined ? undefined : `/${displayName(iso)}`,
		efiImage: esp === undefined ? undefined : `/${displayName(esp)}`,
		why,
	};
}
