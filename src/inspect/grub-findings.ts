import type { GrubStart } from "../boot/grub/model/medium.ts";
import { describeWalk, type GrubWalk } from "../boot/grub/model/walk.ts";
import type { Machine } from "../boot/machines.ts";
import { UEFI_PATHS } from "../findings/finding.ts";
import type { Findings } from "../findings/findings.ts";
import { efiLines, LINES } from "./containerfile.ts";

const STARTS = { cd: "a CD", usb: "a USB disk" } as const;
const FIRMWARE = {
	BIOS: {
		code: "GRUB_BIOS",
		paths: ["bios"],
		remedy: "install GRUB's modules for BIOS as the distribution has them",
		lines: () => LINES.grubModulesAgain,
	},
	UEFI: {
		code: "GRUB_EFI",
		paths: UEFI_PATHS,
		remedy: "install the build of GRUB that the distribution has for removable media",
		lines: efiLines,
	},
} as const;

/** Whether GRUB comes to the menu that is written, and to which. */
export function reportWalk(
	walk: GrubWalk,
	{ firmware, start }: { readonly firmware: keyof typeof FIRMWARE; readonly start: GrubStart },
	machine: Machine,
	findings: Findings,
): void {
	const { code, paths, remedy, lines } = FIRMWARE[firmware];
	const evidence = describeWalk(walk);
	const from = `started from ${STARTS[start]}`;
	if (walk.kind === "menu" && walk.brokenModules.length > 0)
		findings.block(`${code}_ENTRY_FAILS`, `GRUB for ${firmware} cannot start an entry of its menu, ${from}`, paths, {
			evidence: walk.brokenModules.join("; "),
			remedy,
			containerfile: lines(machine),
		});
	else if (walk.kind === "menu")
		findings.ok(`${code}_MENU`, `GRUB for ${firmware} comes to its menu, ${from}`, evidence);
	else if (walk.kind === "unknown")
		findings.warn(`${code}_NOT_KNOWN`, `whether GRUB for ${firmware} finds its menu is not known, ${from}`, {
			evidence,
		});
	else
		findings.block(`${code}_NO_MENU`, `GRUB for ${firmware} ${walk.does}, ${from}`, paths, {
			evidence,
			remedy,
			containerfile: lines(machine),
		});
}
