import { displayName } from "../../binary/byte-string.ts";
import { biosOf } from "../../boot/boot-loader.ts";
import { INITRAMFS_DECODER_SETTINGS } from "../../boot/linux/facts.ts";
import { isFormatOf, type KernelImage } from "../../boot/linux/kernel-image.ts";
import type { Machine } from "../../boot/machines.ts";
import { ALL_PATHS, UEFI_PATHS } from "../../findings/finding.ts";
import type { Findings } from "../../findings/findings.ts";
import { lookupQuietly } from "../../tree/lookup-quietly.ts";
import type { BootParts, InitramfsPart, KernelPart } from "../boot-parts.ts";
import { kernelLines, LINES } from "../containerfile.ts";

/** The kernel image: what it is, for which processor, which release, and whether its modules are the image's. */
export function checkKernel({ kernel, tree, machine, bootLoader }: BootParts, findings: Findings): undefined {
	if (kernel === undefined) return;
	const { image, file, version } = kernel;
	const where = displayName(file.path);
	if (!isFormatOf(machine, image))
		return findings.block(
			"KERNEL_NOT_BOOTABLE",
			`the kernel is no Linux kernel image for ${machine.name} (${machine.kernelFormats.join(", ")})`,
			ALL_PATHS,
			{
				evidence: `${where}: ${describeImage(image)}`,
				containerfile: kernelLines(machine),
			},
		);
	if (image.architecture !== machine.name)
		return findings.block("KERNEL_ARCHITECTURE", `the kernel is for ${image.architecture}`, ALL_PATHS, {
			evidence: where,
			remedy: `install a kernel for ${machine.name}`,
			containerfile: kernelLines(machine),
		});
	if (image.leastBytes !== undefined && file.inode.byteLength < image.leastBytes)
		return findings.block("KERNEL_TRUNCATED", "the kernel is cut off", ALL_PATHS, {
			evidence: `${where} has ${file.inode.byteLength} of at least ${image.leastBytes} bytes`,
			containerfile: kernelLines(machine),
		});
	if (kernel.damage !== undefined)
		return findings.block("KERNEL_TRUNCATED", "the kernel is cut off or damaged", ALL_PATHS, {
			evidence: `${where}: ${kernel.damage}`,
			containerfile: kernelLines(machine),
		});
	findings.ok("KERNEL", `Linux ${image.release ?? version} for ${machine.name}`, where);
	// Without a BIOS nothing but EFI starts a kernel.
	const isUefiOnly = biosOf(machine, bootLoader) === undefined;
	if (image.format === "Image.gz" && bootLoader === "systemd-boot")
		findings.block(
			"KERNEL_COMPRESSED",
			"the kernel is packed with gzip, which systemd-boot does not unpack",
			UEFI_PATHS,
			{
				evidence: where,
				remedy: "unpack it in the image",
			},
		);
	else if (image.format === "Image.gz")
		findings.block("KERNEL_COMPRESSED", "the kernel is packed with gzip, and its signature with it", ["secure-boot"], {
			evidence: where,
			remedy: "unpack it in the image: GRUB checks signatures of files as they are",
		});
	if (!image.isEfiProgram)
		findings.block(
			"KERNEL_NO_EFI_STUB",
			`the kernel is no whole EFI program, which ${isUefiOnly ? "its boot loader insists" : "signed GRUBs insist"} on`,
			isUefiOnly ? UEFI_PATHS : ["secure-boot"],
			{
				evidence: typeof kernel.pe === "string" ? `${where}: ${kernel.pe}` : where,
				remedy: "use a kernel with CONFIG_EFI_STUB, as it was installed",
			},
		);
	checkRelease(kernel, (path) => lookupQuietly(tree, path) !== undefined, machine, findings);
}

function describeImage({ format, architecture }: KernelImage): string {
	if (format === "other") return "no boot protocol header";
	return `${format === "PE" ? "a PE program" : format} for ${architecture}`;
}

function checkRelease(
	kernel: KernelPart,
	exists: (path: string) => boolean,
	machine: Machine,
	findings: Findings,
): undefined {
	const { release } = kernel.image;
	if (release === undefined || release === kernel.version) return;
	const evidence = `${displayName(kernel.file.path)} says ${release}`;
	if (exists(`/usr/lib/modules/${release}`))
		findings.warn("KERNEL_IN_OTHER_DIRECTORY", `the kernel in the directory ${kernel.version} is ${release}`, {
			evidence,
		});
	else
		findings.warn(
			"KERNEL_MODULES_MISMATCH",
			`the kernel is ${release}, but the image's modules are for ${kernel.version}: the booted system finds no modules`,
			{
				evidence,
				remedy: "install kernel and modules from one package, and copy no vmlinuz from elsewhere",
				containerfile: kernelLines(machine),
			},
		);
}

/** The kernel can unpack the initramfs, and there is something to start in it. */
export function checkUnpacking({ initramfs, config }: BootParts, findings: Findings): boolean {
	if (initramfs === undefined) return false;
	const { content, file } = initramfs;
	const where = displayName(file.path);
	if (content.refusedByKernel !== undefined) {
		findings.block("INITRAMFS_REFUSED", "the kernel does not unpack the initramfs", ALL_PATHS, {
			evidence: `${where}: ${content.refusedByKernel}`,
			remedy: "compress it with `xz --check=crc32` or with zstd",
			containerfile: LINES.makeInitramfs,
		});
		return false;
	}
	if (content.isOpaque) {
		findings.warn("INITRAMFS_NOT_READ", "the initramfs is compressed in a way that is not looked into", {
			evidence: `${where}: ${content.fault}`,
			remedy: "compress it with zstd, gzip, xz or lz4 to have it checked",
		});
		return false;
	}
	const decoder = content.segments
		.map(({ compression }) => INITRAMFS_DECODER_SETTINGS[compression])
		.find((setting) => setting !== undefined && config?.get(setting) === "n");
	if (decoder !== undefined) {
		findings.block("INITRAMFS_DECODER_MISSING", "the kernel cannot decompress the initramfs", ALL_PATHS, {
			evidence: `${decoder} is not set in the kernel's configuration`,
			remedy: "compress the initramfs with what the kernel has",
			containerfile: LINES.makeInitramfs,
		});
		return false;
	}
	if (!checkInit(initramfs, where, findings)) return false;
	if (content.fault !== undefined)
		findings.warn("INITRAMFS_DAMAGED", "the kernel stops unpacking the initramfs before its end", {
			evidence: `${where}: ${content.fault}`,
			containerfile: LINES.makeInitramfs,
		});
	const parts = content.segments.map(
		({ compression, entries, isMicrocode }) => `${compression}${isMicrocode ? " (microcode)" : ""}, ${entries} entries`,
	);
	findings.ok("INITRAMFS", `the initramfs unpacks: ${parts.join("; ")}`, where);
	return true;
}

/** Linux, init/main.c: /init is what an initramfs is started with. */
function checkInit({ content }: InitramfsPart, where: string, findings: Findings): boolean {
	const init = content.lookup("/init");
	if (init?.inode.type === "file" && (init.inode.mode & 0o111) !== 0) return true;
	findings.block("INITRAMFS_NO_INIT", "the initramfs has no program /init: the kernel cannot start it", ALL_PATHS, {
		evidence: content.fault === undefined ? where : `${where}: ${content.fault}`,
		containerfile: LINES.makeInitramfs,
	});
	return false;
}
