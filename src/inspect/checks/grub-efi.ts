import { byteStringFromText, displayName } from "../../binary/byte-string.ts";
import { type BootFileParts, bootFiles } from "../../boot/boot-files.ts";
import { describePlace, findMenuPlaces } from "../../boot/grub/menu-places.ts";
import { builtInModules } from "../../boot/grub/model/efi-walk.ts";
import { MAX_GRUB_CONFIG_BYTES } from "../../boot/grub/model/shell.ts";
import { ISO_PATHS } from "../../boot/iso-paths.ts";
import type { Findings } from "../../findings/findings.ts";
import type { BootParts } from "../boot-parts.ts";
import { efiLines } from "../containerfile.ts";
import { reportWalk } from "../grub-findings.ts";

/** GRUB for UEFI comes to the menu that is written, from a CD and from a disk. */
export async function checkGrubEfi(
	{ tree, efi }: Pick<BootParts, "tree" | "efi">,
	parts: BootFileParts,
	findings: Findings,
): Promise<void> {
	if (efi === undefined || typeof efi.secondStage.pe === "string") return;
	const { extra, walks } = await findMenuPlaces(efi.secondStage.pe, {
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

/** GRUB for UEFI has what starts EFI programs: it finds no modules on the medium, and Secure Boot would refuse them. */
export function checkChainloader({ efi, machine }: Pick<BootParts, "efi" | "machine">, findings: Findings): void {
	if (efi === undefined || typeof efi.secondStage.pe === "string") return;
	if (builtInModules(efi.secondStage.pe)?.has("chain") !== false) return;
	findings.warn("GRUB_WITHOUT_CHAINLOADER", "GRUB for UEFI cannot start unified kernel images: it has no chainloader", {
		evidence: `no module chain in ${displayName(efi.secondStage.file.path)}`,
		containerfile: efiLines(machine),
	});
}
