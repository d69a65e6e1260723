import { from0, record } from "../../binary/record.ts";
import { ISO_BLOCK_BYTES } from "../../binary/units.ts";
import { corrupt } from "../../errors.ts";

/** The boot information table that isolinux introduced: bytes 8-63 of a BIOS boot image. */
export const bootInfoTable = record("boot information table", 64, {
	/** Block of the primary volume descriptor. */
	pvdBlock: from0.u32le(8),
	imageBlock: from0.u32le(12),
	imageByteLength: from0.u32le(16),
	/** Sum of the image's 32-bit little-endian words from byte 64 on; a short last word is filled with zeros. */
	checksum: from0.u32le(20),
});

/** Where GRUB's cdboot image finds the rest of itself: 64-bit number of a 512-byte block. */
const GRUB2_BOOT_INFO_OFFSET = 2548;
/** The first 2048-byte block is loaded by the firmware; GRUB asks for the sector after it and counts one back. */
const GRUB2_BLOCK_OFFSET = 5;

/**
 * A copy of GRUB's boot image for CDs with both patches, for a volume whose primary descriptor is in `pvdBlock`.
 * The order matters: the table's checksum covers GRUB's patch.
 */
export function patchBootImage(
	image: Uint8Array,
	{ pvdBlock, imageBlock }: { pvdBlock: number; imageBlock: number },
): Buffer {
	return patchBootInfoTable(patchGrub2BootInfo(image, imageBlock), { pvdBlock, imageBlock });
}

/** A copy of `image` with its table filled in, last of all patches. Bytes 24-63 become zero. */
export function patchBootInfoTable(
	image: Uint8Array,
	{ pvdBlock, imageBlock }: { pvdBlock: number; imageBlock: number },
): Buffer {
	requireLength(image, bootInfoTable.byteLength);
	const patched = Buffer.from(image);
	const table = bootInfoTable.encode({
		pvdBlock,
		imageBlock,
		imageByteLength: image.byteLength,
		checksum: bootImageChecksum(image),
	});
	patched.set(table.subarray(8), 8);
	return patched;
}

export function bootImageChecksum(image: Uint8Array): number {
	let sum = 0;
	for (let at = bootInfoTable.byteLength; at < image.byteLength; at++)
		sum = (sum + (image[at] ?? 0) * 2 ** (8 * (at % 4))) % 2 ** 32;
	return sum;
}

/** A copy of `image` (GRUB's boot image for CDs) that knows its place on the medium. */
export function patchGrub2BootInfo(image: Uint8Array, imageBlock: number): Buffer {
	requireLength(image, GRUB2_BOOT_INFO_OFFSET + 8);
	const patched = Buffer.from(image);
	patched.writeBigUInt64LE(grub2BootBlock(imageBlock), GRUB2_BOOT_INFO_OFFSET);
	return patched;
}

/** True where `image`, read from `imageBlock`, carries GRUB's patch for that place. */
export function hasGrub2BootInfo(image: Uint8Array, imageBlock: number): boolean {
	const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
	return (
		bytes.byteLength >= GRUB2_BOOT_INFO_OFFSET + 8 &&
		bytes.readBigUInt64LE(GRUB2_BOOT_INFO_OFFSET) === grub2BootBlock(imageBlock)
	);
}

function grub2BootBlock(imageBlock: number): bigint {
	return BigInt(imageBlock) * BigInt(ISO_BLOCK_BYTES / 512) + BigInt(GRUB2_BLOCK_OFFSET);
}

function requireLength(image: Uint8Array, byteLength: number): void {
	if (image.byteLength < byteLength)
		throw corrupt(
			"BAD_BOOT_IMAGE",
			`a BIOS boot image of ${image.byteLength} bytes`,
			undefined,
			`at least ${byteLength} bytes`,
		);
}
