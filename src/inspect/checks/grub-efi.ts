import { byteStringFromText } from "../../binary/byte-string.ts";
import { type BootFileParts, bootFiles } from "../../boot/boot-files.ts";
import { describePlace, findMenuPlaces } from "../../boot/grub/menu-places.ts";
import { MAX_GRUB_CONFIG_BYTES } from "../../boot/grub/model/shell.ts";
import { ISO_PATHS } from "../../boot/iso-paths.ts";
import type { Findings } from "../../findings/findings.ts";
import type { BootParts } from "../boot-parts.ts";
import { reportWalk } from "../grub-findings.ts";

/** GRUB for UEFI comes to the menu that is written, from a CD and from a disk. */
export async function checkGrubEfi(
	{ tree, efi }: Pick<BootParts, "tree" | "efi">,
	parts: BootFileParts,
	findings: Findings,
): Promise<void> {
	if (efi === undefined || typeof efi.grub.pe === "string") return;
	const { extra, walks } = await findMenuPlaces(efi.grub.pe, {
		label: byteStringFromText(parts.label),
		files: bootFiles(parts, 0),
		grubDirectory: `/${ISO_PATHS.efiDirectory}`,
		read: (file) => tree.read(file, MAX_GRUB_CONFIG_BYTES),
	});
	for (const start of ["cd", "usb"] as const)
		reportWalk(walks[start], { firmware: "UEFI", start }, parts.machine, findings);
	if (extra.length > 0)
		findings.ok(
			"GRUB_EFI_EXTRA_MENU",
			"the menu is also put where this GRUB looks",
			extra.map(describePlace).join(", "),
		);
}
