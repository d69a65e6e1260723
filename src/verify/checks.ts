/** What is looked at, in the order of the report. */
export const CHECKS = {
	volume: "ISO 9660: descriptors, path tables, directories, Rock Ridge, Joliet",
	"second-volume": "the second descriptor set, for a partition",
	extents: "extents: inside the image, none over another",
	"el-torito": "El Torito boot record and catalog",
	"boot-image": "BIOS boot image: boot information table, GRUB's place",
	mbr: "master boot record",
	gpt: "GPT, primary and backup",
	esp: "EFI system partition: FAT",
	squashfs: "root file system: superblock and tables",
	"squashfs-blocks": "its data: every block within the kernel's limits",
	"media-checksum": "media checksum and fragment sums",
	"bios-cd": "boot walk: BIOS, CD",
	"bios-usb": "boot walk: BIOS, USB",
	"uefi-cd": "boot walk: UEFI, CD",
	"uefi-usb": "boot walk: UEFI, USB",
	loopback: "the menu for GRUB that starts the ISO from a file",
	"secure-boot": "signatures for Secure Boot",
	payload: "images to install: every blob of an image layout, every layer of container storage",
	fidelity: "fidelity to the image",
	medium: "every byte beside the root file system: the image's, made by rule, or zero",
} as const;

export type CheckName = keyof typeof CHECKS;
