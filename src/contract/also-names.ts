import { TAKEN_KERNEL_NAMES } from "../boot/iso-paths.ts";

/** Not names of further systems: of what the medium has beside their files, and of what dracut takes for something else. */
export const TAKEN_ALSO_NAMES: ReadonlySet<string> = new Set([
	...["squashfs", "store", "rootfs", "ext3fs"],
	...TAKEN_KERNEL_NAMES,
]);
