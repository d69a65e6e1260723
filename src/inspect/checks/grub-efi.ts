import { byteStringFromText } from "../../binary/byte-string.ts";
import { MAX_GRUB_CONFIG_BYTES } from "../../boot/grub-shell.ts";
import { describeWalk } from "../../boot/grub-walk.ts";
import { describePlace, findMenuPlaces } from "../../boot/menu-places.ts";
import { type BootFileParts, bootFiles } from "../../grub/boot-files.ts";
import type { BootParts } from "../boot-parts.ts";
import { LINES } from "../containerfile.ts";
import { type FindingList, UEFI_PATHS } from "../finding.ts";

const STARTS = { cd: "a CD", usb: "a USB disk" } as const;
const GRUB_DIRECTORY = "/EFI/BOOT";

/** GRUB for UEFI comes to the menu that is written, from a CD and from a disk. */
export async function checkGrubEfi(
	{ tree, efi }: Pick<BootParts, "tree" | "efi">,
	parts: BootFileParts,
	findings: FindingList,
): Promise<void> {
	if (efi === undefined || typeof efi.grub.pe === "string") return;
	const { extra, walks } = await findMenuPlaces(efi.grub.pe, {
		label: byteStringFromText(parts.label),
		files: bootFiles(parts, 0),
		grubDirectory: GRUB_DIRECTORY,
		read: (file) => tree.read(file, MAX_GRUB_CONFIG_BYTES),
	});
	for (const start of ["cd", "usb"] as const) {
		const walk = walks[start];
		const evidence = describeWalk(walk);
		const from = `started from ${STARTS[start]}`;
		if (walk.kind === "menu") findings.ok("GRUB_EFI_MENU", `GRUB for UEFI comes to its menu, ${from}`, evidence);
		else if (walk.kind === "unknown")
			findings.warn("GRUB_EFI_NOT_KNOWN", `whether GRUB for UEFI finds its menu is not known, ${from}`, { evidence });
		else
			findings.block("GRUB_EFI_NO_MENU", `GRUB for UEFI ${walk.does}, ${from}`, UEFI_PATHS, {
				evidence,
				remedy: "install the build of GRUB that the distribution has for removable media",
				containerfile: LINES.efi,
			});
	}
	if (extra.length > 0)
		findings.ok(
			"GRUB_EFI_EXTRA_MENU",
			"the menu is also put where this GRUB looks",
			extra.map(describePlace).join(", "),
		);
}
