import { MiB } from "../binary/units.ts";

/** Larger boot files are not looked into, before a build and on the medium alike. */
export const MAX_INITRAMFS_BYTES = 512 * MiB;
export const MAX_EFI_BYTES = 64 * MiB;
/** What is on the EFI system partition together, which is held in memory: boot loaders, with systemd-boot kernel and initramfs too. */
export const MAX_ESP_BYTES = 512 * MiB;
