import { MiB } from "../binary/units.ts";

/** Larger boot files are not looked into, before a build and on the medium alike. */
export const MAX_INITRAMFS_BYTES = 512 * MiB;
export const MAX_EFI_BYTES = 64 * MiB;
