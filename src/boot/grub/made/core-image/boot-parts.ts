import { DISK_BLOCK_BYTES, divideCeil, ISO_BLOCK_BYTES } from "../../../../binary/units.ts";
import { decompressorHead, diskBootTail } from "../../core-layout.ts";
import { badGrubFile } from "./failures.ts";
import { KERNEL_ADDRESS } from "./kernel-image.ts";

/** Where diskboot.img loads the decompressor to: everything after itself, 0x8000, one sector long. */
const DECOMPRESSOR_ADDRESS = 0x8200;

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
