import { from0, record } from "../../../../binary/record.ts";
import { DISK_BLOCK_BYTES, divideCeil, ISO_BLOCK_BYTES } from "../../../../binary/units.ts";
import { badGrubFile } from "./failures.ts";
import { KERNEL_ADDRESS } from "./kernel-image.ts";

/** Where diskboot.img loads the decompressor to: everything after itself, 0x8000, one sector long. */
const DECOMPRESSOR_ADDRESS = 0x8200;

/** The last bytes of diskboot.img: what it loads (GRUB, `grub_pc_bios_boot_blocklist`). */
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

/** cdboot.img, which firmware loads: one block of a CD. */
export function checkedCdBoot(file: Uint8Array): Uint8Array {
	if (file.byteLength === ISO_BLOCK_BYTES) return file;
	throw badGrubFile("GRUB_CDBOOT_SIZE", "cdboot.img", `it has ${file.byteLength} bytes`, `${ISO_BLOCK_BYTES} bytes`);
}

/** diskboot.img, told how many bytes to load. */
export function diskBoot(file: Uint8Array, loadedBytes: number): Uint8Array {
	const bad = (what: string, expected: string) => badGrubFile("GRUB_DISKBOOT_FORMAT", "diskboot.img", what, expected);
	if (file.byteLength !== DISK_BLOCK_BYTES) throw bad(`it has ${file.byteLength} bytes`, `${DISK_BLOCK_BYTES} bytes`);
	const tail = diskBootTail.decode(file);
	if (tail.segment * 16 !== DECOMPRESSOR_ADDRESS) {
		throw bad(`it loads to segment ${tail.segment}`, `segment ${DECOMPRESSOR_ADDRESS / 16}`);
	}
	return diskBootTail.encode({ ...tail, blockCount: divideCeil(loadedBytes, DISK_BLOCK_BYTES) });
}

/** lzma_decompress.img, told how long the stream after it is. */
export function decompressor(file: Uint8Array, compressedBytes: number, uncompressedBytes: number): Uint8Array {
	const most = KERNEL_ADDRESS - DECOMPRESSOR_ADDRESS;
	if (file.byteLength < decompressorHead.byteLength || file.byteLength > most) {
		const expected = `${decompressorHead.byteLength} to ${most} bytes`;
		throw badGrubFile("GRUB_DECOMPRESSOR_SIZE", "lzma_decompress.img", `it has ${file.byteLength} bytes`, expected);
	}
	const head = decompressorHead.encode({ ...decompressorHead.decode(file), compressedBytes, uncompressedBytes });
	return Buffer.concat([head, file.subarray(head.byteLength)]);
}
