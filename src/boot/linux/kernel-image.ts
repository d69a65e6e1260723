import { constants, gunzipSync } from "node:zlib";
import { from0, record } from "../../binary/record.ts";
import { MiB } from "../../binary/units.ts";
import { decodePeHead, machineName } from "../../formats/pe/pe-layout.ts";
import type { Machine } from "../machines.ts";

/** Linux, Documentation/arch/x86/boot.rst: "The Real-Mode Kernel Header". */
const setupHeader = record("x86 Linux setup header", 0x268, {
	setupSectors: from0.u8(0x1f1),
	/** Of the part in protected mode, in units of 16 bytes. */
	protectedUnits: from0.u32le(0x1f4),
	bootFlag: from0.u16le(0x1fe),
	header: from0.text(0x202, 4),
	version: from0.u16le(0x206),
	kernelVersion: from0.u16le(0x20e),
	xloadflags: from0.u16le(0x236),
});

/** Linux, Documentation/arch/arm64/booting.rst, "Call the kernel image"; RISC-V has the same header with another magic. */
const imageHeader = record("Linux Image header", 64, {
	magic: from0.text(56, 4),
});
/** Linux, drivers/firmware/efi/libstub/zboot-header.S: a program that unpacks the kernel and starts it. */
const zbootHeader = record("EFI zboot header", 64, {
	magic: from0.text(0, 2),
	imageType: from0.text(4, 4),
	payloadOffset: from0.u32le(8),
	payloadBytes: from0.u32le(12),
});
/** By the magic of its `Image`, as `uname -m` has it. */
const IMAGE_MACHINES: Readonly<Record<string, string>> = { "ARM\x64": "aarch64", "RSC\x05": "riscv64" };
/** RFC 1952, 2.3.1. */
const GZIP_MAGIC = [0x1f, 0x8b, 8];
/** Of a kernel in gzip, for its first bytes. */
const GZIP_HEAD_BYTES = 4096;
const MAX_UNPACKED_BYTES = 8 * MiB;

const BOOT_FLAG = 0xaa55;
/** xloadflags bit 0: the 64-bit entry point is there. */
const XLF_KERNEL_64 = 1;
const XLOADFLAGS_SINCE = 0x20c;
const SECTOR_BYTES = 512;
/** What 0 stands for. */
const USUAL_SETUP_SECTORS = 4;
const MAX_VERSION_BYTES = 256;

/** What a kernel image says of itself. */
export interface KernelImage {
	/** `bzImage`, `Image` (also in gzip, and as EFI zboot program), or what it is instead. */
	readonly format: "bzImage" | "Image" | "Image.gz" | "zboot" | "PE" | "other";
	/** `x86_64`, `i386`, `aarch64`, or undefined where it does not say. */
	readonly architecture: string | undefined;
	/** As `uname -r` prints it, or undefined. */
	readonly release: string | undefined;
	/** How many bytes the boot protocol says that there are at least; undefined where it does not. */
	readonly leastBytes?: number | undefined;
	/** It, or what is in the gzip, can be started by UEFI (CONFIG_EFI_STUB): GRUB needs it under Secure Boot, and always where kernels are `Image`s. */
	readonly isEfiProgram: boolean;
}

/** It is what loaders of the machine start. */
export function isFormatOf({ kernelFormats }: Pick<Machine, "kernelFormats">, { format }: KernelImage): boolean {
	return kernelFormats.some((each) => each === format);
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
	if (bytes.byteLength < imageHeader.byteLength) return none;
	const architectureOfImage = IMAGE_MACHINES[imageHeader.decode(bytes).magic];
	if (architectureOfImage !== undefined) return { ...none, format: "Image", architecture: architectureOfImage };
	const zboot = zbootHeader.decode(bytes);
	if (zboot.magic === "MZ" && zboot.imageType === "zimg") {
		const leastBytes = zboot.payloadOffset + zboot.payloadBytes;
		return { ...none, format: "zboot", leastBytes };
	}
	if (GZIP_MAGIC.every((byte, index) => bytes[index] === byte)) return inGzip(bytes) ?? none;
	if (bytes.byteLength < setupHeader.byteLength) return none;
	const setup = setupHeader.decode(bytes);
	if (setup.bootFlag !== BOOT_FLAG || setup.header !== "HdrS") return none;
	const is64Bit = setup.version >= XLOADFLAGS_SINCE && (setup.xloadflags & XLF_KERNEL_64) !== 0;
	return {
		format: "bzImage",
		architecture: is64Bit ? "x86_64" : (machine ?? "i386"),
		release: releaseAt(bytes, setup.kernelVersion),
		leastBytes: ((setup.setupSectors || USUAL_SETUP_SECTORS) + 1) * SECTOR_BYTES + setup.protectedUnits * 16,
		isEfiProgram,
	};
}

/** By its first bytes alone, 4096 or more. */
export function kernelImageOfHead(head: Uint8Array): KernelImage {
	return kernelImageOf(head, decodePeHead(head, Number.MAX_SAFE_INTEGER) ?? "its headers lie further on");
}

/** What is packed, by its first bytes; undefined where that is no `Image`. */
function inGzip(bytes: Uint8Array): KernelImage | undefined {
	let head: Buffer;
	try {
		head = gunzipSync(bytes.subarray(0, GZIP_HEAD_BYTES), {
			finishFlush: constants.Z_SYNC_FLUSH,
			maxOutputLength: MAX_UNPACKED_BYTES,
		});
	} catch {
		return undefined;
	}
	if (GZIP_MAGIC.every((byte, index) => head[index] === byte)) return undefined;
	const inner = kernelImageOfHead(head);
	return inner.format === "Image" ? { ...inner, format: "Image.gz" } : undefined;
}

/** boot.rst, "kernel_version": the string is 512 bytes behind the pointer; its first word is the release. */
function releaseAt(bytes: Uint8Array, pointer: number): string | undefined {
	if (pointer === 0) return undefined;
	const at = pointer + SECTOR_BYTES;
	const text = Buffer.from(bytes.subarray(at, at + MAX_VERSION_BYTES)).toString("latin1");
	const release = /^[!-~]+/.exec(text.split("\0")[0] ?? "")?.[0];
	return release === "" ? undefined : release;
}
