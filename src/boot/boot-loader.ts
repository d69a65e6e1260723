import type { GrubPlatform, Machine } from "./machines.ts";

/** Who shows the menu and starts the kernel. */
export type BootLoader = "grub2" | "systemd-boot";

/** What a medium has for a BIOS: nothing where there is none, or where the boot loader is for UEFI only. */
export function biosOf({ grub }: Machine, bootLoader: BootLoader): GrubPlatform | undefined {
	return bootLoader === "grub2" ? grub.bios : undefined;
}
