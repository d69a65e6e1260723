import { compressionOf } from "../boot/initramfs/decompress.ts";
import { isFormatOf, kernelImageOfHead } from "../boot/linux/kernel-image.ts";
import type { Machine } from "../boot/machines.ts";
import type { Findings } from "../findings/findings.ts";

export const KERNEL_HEAD_BYTES = 4096;

/** A kernel for the machine, by the boot protocol of its loaders; its EFI side is read with the signatures. */
export function checkKernelHead(head: Uint8Array, machine: Machine, where: string, findings: Findings): void {
	const image = kernelImageOfHead(head);
	const { architecture } = image;
	if (!isFormatOf(machine, image)) {
		const formats = machine.kernelFormats.join(", ");
		findings.fault(`it is no Linux kernel for ${machine.name}`, where, formats);
	} else if (architecture !== machine.name) findings.fault(`it is a kernel for ${architecture}`, where, machine.name);
}

/** Of an archive that the kernel unpacks, by its first bytes; what is in it is not read. */
export function checkInitramfsHead(head: Buffer, where: string, findings: Findings): void {
	const isArchive = ["070701", "070702"].includes(head.toString("latin1", 0, 6));
	if (!isArchive && compressionOf(head) === undefined)
		findings.fault(`it begins with ${head.toString("hex", 0, 8)}`, where, "a cpio archive, maybe compressed");
}
