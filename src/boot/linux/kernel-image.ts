import { from0, record } from "../../binary/record.ts";
import { machineName } from "../../formats/pe/pe-layout.ts";

/** Linux, Documentation/arch/x86/boot.rst: "The Real-Mode Kernel Header". */
const setupHeader = record("x86 Linux setup header", 0x268, {
	bootFlag: from0.u16le(0x1fe),
	header: from0.text(0x202, 4),
	version: from0.u16le(0x206),
	kernelVersion: from0.u16le(0x20e),
	xloadflags: from0.u16le(0x236),
});

const BOOT_FLAG = 0xaa55;
/** xloadflags bit 0: the 64-bit entry point is there. */
const XLF_KERNEL_64 = 1;
const XLOADFLAGS_SINCE = 0x20c;
const SECTOR_BYTES = 512;
const MAX_VERSION_BYTES = 256;

/** What a kernel image says of itself. */
export interface KernelImage {
	/** `bzImage`, or in words what it is instead. */
	readonly format: "bzImage" | "Image" | "PE" | "other";
	/** `x86_64`, `i386`, `aarch64`, or undefined where it does not say. */
	readonly architecture: string | undefined;
	/** As `uname -r` prints it, or undefined. */
	readonly release: string | undefined;
	/** It can be started by UEFI (CONFIG_EFI_STUB), which GRUB under Secure Boot needs. */
	readonly isEfiProgram: boolean;
}

/** Reads the boot protocol's header at the start of a file, with what its PE headers say; 66 KiB and more are as good as the whole. Never throws. */
export function kernelImageOf(bytes: Uint8Array, pe: { readonly machine: number } | string): KernelImage {
	const isEfiProgram = typeof pe !== "string";
	const machine = isEfiProgram ? machineName(pe.machine) : undefined;
	const none: KernelImage = {
		format: isEfiProgram ? "PE" : "other",
		architecture: machine,
		release: undefined,
		isEfiProgram,
	};
	if (bytes.byteLength < setupHeader.byteLength) return none;
	const setup = setupHeader.decode(bytes);
	if (setup.bootFlag !== BOOT_FLAG || setup.header !== "HdrS") return none;
	const is64Bit = setup.version >= XLOADFLAGS_SINCE && (setup.xloadflags & XLF_KERNEL_64) !== 0;
	return {
		format: "bzImage",
		architecture: is64Bit ? "x86_64" : (machine ?? "i386"),
		release: releaseAt(bytes, setup.kernelVersion),
		isEfiProgram,
	};
}

/** boot.rst, "kernel_version": the string is 512 bytes behind the pointer; its first word is the release. */
function releaseAt(bytes: Uint8Array, pointer: number): string | undefined {
	if (pointer === 0) return undefined;
	const at = pointer + SECTOR_BYTES;
	const text = Buffer.from(bytes.subarray(at, at + MAX_VERSION_BYTES)).toString("latin1");
	const release = /^[!-~]+/.exec(text.split("\0")[0] ?? "")?.[0];
	return release === "" ? undefined : release;
}
