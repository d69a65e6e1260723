import { from0, record } from "../../binary/record.ts";
import { DISK_BLOCK_BYTES, ISO_BLOCK_BYTES } from "../../binary/units.ts";

// GRUB's core image for BIOS: cdboot.img (one block of a CD), diskboot.img (one sector), lzma_decompress.img, an LZMA stream; in that the kernel and the
// module area. Programs for EFI have a module area too, with 64-bit headers.

export const DECOMPRESSOR_OFFSET = ISO_BLOCK_BYTES + DISK_BLOCK_BYTES;
/** Of lzma_decompress.img: jump, lengths and boot device, which grub-mkimage fills in. */
export const DECOMPRESSOR_FILLED_BYTES = 32;

/** What diskboot.img loads (GRUB, `grub_pc_bios_boot_blocklist`), in its last bytes. */
export const diskBootTail = record("diskboot.img", DISK_BLOCK_BYTES, {
	code: from0.bytes(0, 500),
	/** In blocks of 512 bytes. Filled in when the image gets its place on the medium. */
	startBlock: from0.u64le(500),
	blockCount: from0.u16le(508),
	/** Real-mode segment that it is loaded to. */
	segment: from0.u16le(510),
});

/** The first bytes of lzma_decompress.img (GRUB, `include/grub/offsets.h`). */
export const decompressorHead = record("lzma_decompress.img", 24, {
	entry: from0.bytes(0, 8),
	compressedBytes: from0.u32le(8),
	uncompressedBytes: from0.u32le(12),
	/** Bytes of Reed-Solomon code after the stream; 0 in images for CDs. */
	redundancyBytes: from0.u32le(16),
	/** From the decompressor's start to what such a code would cover. */
	unprotectedBytes: from0.u16le(20),
	unused: from0.bytes(22, 2),
});

export const MODULE_AREA_MAGIC = "mimg";
/** What precedes all objects (include/grub/kernel.h, `grub_module_info32`). */
export const moduleAreaHeader = record("GRUB module area header", 12, {
	magic: from0.text(0, 4),
	/** From the header's start to the first object. */
	objectsOffset: from0.u32le(4),
	/** Of header and objects. */
	byteLength: from0.u32le(8),
});
/** The same in programs for EFI (`grub_module_info64`). */
export const moduleAreaHeader64 = record("GRUB module area header", 24, {
	magic: from0.text(0, 4),
	objectsOffset: from0.safe64le(8),
	byteLength: from0.safe64le(16),
});

/** What precedes each object (`grub_module_header`). */
export const moduleObjectHeader = record("GRUB module object header", 8, {
	type: from0.u32le(0),
	/** With this header and the padding after the content. */
	byteLength: from0.u32le(4),
});
export const MODULE_OBJECT = { elf: 0, memoryDisk: 1, configuration: 2, prefix: 3 } as const;
