import { displayName } from "../../binary/byte-string.ts";
import { MiB } from "../../binary/units.ts";
import { isSystemdBoot } from "../../boot/systemd-boot/program.ts";
import type { UnifiedKernelFile } from "../../contract/contract.ts";
import type { Findings } from "../../findings/findings.ts";
import type { BootParts } from "../boot-parts.ts";

/** Above it El Torito's catalog cannot say how long the EFI image is. */
const MAX_CATALOG_BYTES = 32 * MiB;

/** systemd-boot reads kernel and initramfs from the EFI system partition, which grows by them. */
export function checkSystemdBoot(
	{ efi, kernel, initramfs }: BootParts,
	unified: readonly UnifiedKernelFile[],
	findings: Findings,
): void {
	if (efi !== undefined && typeof efi.secondStage.pe !== "string") {
		const where = displayName(efi.secondStage.file.path);
		if (isSystemdBoot(efi.secondStage.pe))
			findings.ok("SYSTEMD_BOOT", "systemd-boot shows the menu, with UEFI only", where);
		else findings.warn("SYSTEMD_BOOT_UNKNOWN", "the program does not say that it is systemd-boot", { evidence: where });
	}
	const files = [kernel, initramfs, ...unified];
	const byteLength = files.reduce((sum, part) => sum + (part?.file.inode.byteLength ?? 0), 0);
	if (byteLength > MAX_CATALOG_BYTES)
		findings.warn(
			"EFI_IMAGE_LARGE",
			"kernel and initramfs are in the EFI image, which some firmware does not start from a CD when it has more than 32 MiB",
			{ evidence: `${byteLength} bytes` },
		);
}
