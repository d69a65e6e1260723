import { kernelImageOf } from "../boot/linux/kernel-image.ts";
import type { Findings } from "../findings/findings.ts";

export const KERNEL_HEAD_BYTES = 4096;

/** A kernel for x86-64, by the boot protocol that BIOS loaders use; its EFI side is read with the signatures. */
export function checkKernelHead(head: Uint8Array, where: string, findings: Findings): void {
	const { format, architecture } = kernelImageOf(head, "not asked");
	if (format !== "bzImage") findings.fault("it is no Linux kernel for x86", where, "HdrS at 0x202");
	else if (architecture !== "x86_64")
		findings.fault("it is no 64-bit kernel", where, "boot protocol 2.12 or newer and a 64-bit entry");
}

const INITRAMFS_HEADS: readonly (readonly [name: string, hex: string])[] = [
	["cpio", "303730373031"],
	["cpio", "303730373032"],
	["gzip", "1f8b"],
	["zstd", "28b52ffd"],
	["xz", "fd377a585a00"],
	["lz4", "02214c18"],
	["bzip2", "425a68"],
	["lzma", "5d0000"],
	["lzo", "894c5a4f"],
];

/** Of an archive that the kernel unpacks, by its first bytes; what is in it is not read. */
export function checkInitramfsHead(head: Buffer, where: string, findings: Findings): void {
	const start = head.toString("hex", 0, 8);
	if (!INITRAMFS_HEADS.some(([, hex]) => start.startsWith(hex)))
		findings.fault(`it begins with ${start}`, where, "a cpio archive, maybe compressed");
}
