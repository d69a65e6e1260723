import { from0, record, type ValuesOf } from "../../binary/record.ts";
import { DISK_BLOCK_BYTES, ISO_BLOCK_BYTES, MAX_U32 } from "../../binary/units.ts";
import { corrupt, Oci2isoError } from "../../errors.ts";

/** UEFI 5.2.3, table 5.4: one partition of a master boot record. */
export const mbrPartition = record("MBR partition", 16, {
	status: from0.u8(0),
	firstHead: from0.u8(1),
	/** Sector in bits 0-5, cylinder bits 8-9 in bits 6-7. */
	firstSector: from0.u8(2),
	firstCylinder: from0.u8(3),
	type: from0.u8(4),
	lastHead: from0.u8(5),
	lastSector: from0.u8(6),
	lastCylinder: from0.u8(7),
	/** 512-byte blocks. */
	firstBlock: from0.u32le(8),
	blockCount: from0.u32le(12),
});

/** What we write and check of GRUB's boot_hybrid.img. */
export const hybridMbr = record("hybrid MBR", DISK_BLOCK_BYTES, {
	/** 512-byte block that it jumps to: see `grubKernelBlock`. */
	kernelBlock: from0.u64le(0x1b0),
	diskSignature: from0.u32le(0x1b8),
	partitions: from0.bytes(0x1be, 64),
	signature: from0.u16le(0x1fe),
});

type MbrPartition = ValuesOf<typeof mbrPartition.fields>;

const SIGNATURE = 0xaa55;
/** Type of the one partition of a protective MBR. */
export const PROTECTIVE_TYPE = 0xee;

/**
 * Some BIOSes offer a disk only where a partition is active, and the protective one may not be (UEFI 5.2.3). So the second entry is active, of type 0,
 * which is no partition, over the boot sector: what xorriso's --mbr-force-bootable writes, and the media of several distributions have.
 */
const ACTIVE_ENTRY: MbrPartition = {
	status: 0x80,
	firstHead: 0,
	firstSector: 1,
	firstCylinder: 0,
	type: 0,
	lastHead: 0,
	lastSector: 1,
	lastCylinder: 0,
	firstBlock: 0,
	blockCount: 1,
};

/** What a BIOS starts from a disk. */
interface MbrBoot {
	/** GRUB's boot_hybrid.img, 512 bytes. */
	readonly bootHybrid: Uint8Array;
	/** 2048-byte block of the El Torito image. */
	readonly elToritoBlock: number;
}

/**
 * A protective partition over a disk of `diskBlocks` 512-byte blocks, and no code but what `boot` has, whose bytes stay as they are but for the place
 * that they jump to. With code, an entry is active unless `isActive` is false.
 */
export function encodeMbr(
	boot: MbrBoot | undefined,
	diskBlocks: number,
	{ isActive = true }: { readonly isActive?: boolean } = {},
): Buffer {
	const mbr = boot === undefined ? Buffer.alloc(DISK_BLOCK_BYTES) : bootSector(boot);
	mbr.fill(0, hybridMbr.fields.diskSignature.offset, hybridMbr.fields.signature.offset);
	mbr.writeUInt16LE(SIGNATURE, hybridMbr.fields.signature.offset);
	const blockCount = Math.min(diskBlocks - 1, MAX_U32);
	const [lastHead, lastSector, lastCylinder] = chs(blockCount);
	const partition = mbrPartition.encode({
		status: 0,
		firstHead: 0,
		firstSector: 2,
		firstCylinder: 0,
		type: PROTECTIVE_TYPE,
		lastHead,
		lastSector,
		lastCylinder,
		firstBlock: 1,
		blockCount,
	});
	const { offset } = hybridMbr.fields.partitions;
	mbr.set(partition, offset);
	if (boot !== undefined && isActive) mbr.set(mbrPartition.encode(ACTIVE_ENTRY), offset + mbrPartition.byteLength);
	return mbr;
}

function bootSector({ bootHybrid, elToritoBlock }: MbrBoot): Buffer {
	if (bootHybrid.byteLength !== DISK_BLOCK_BYTES || hybridMbr.decode(bootHybrid).signature !== SIGNATURE)
		throw new Oci2isoError({
			code: "BAD_BOOT_HYBRID",
			kind: "contract",
			what: `boot_hybrid.img has ${bootHybrid.byteLength} bytes or no boot signature`,
			where: "boot_hybrid.img",
			expected: "512 bytes that end in 55 aa",
			remedy: "install GRUB's BIOS modules (grub2-pc-modules, grub-pc-bin) in the image",
		});
	const sector = Buffer.from(bootHybrid);
	sector.writeBigUInt64LE(grubKernelBlock(elToritoBlock), hybridMbr.fields.kernelBlock.offset);
	return sector;
}

/** Head, sector with high cylinder bits, low cylinder byte of a 512-byte block, for 64 heads of 32 sectors; saturates at cylinder 1023. */
function chs(block: number): [head: number, sector: number, cylinder: number] {
	const last = Math.min(block, 1024 * HEADS * SECTORS_PER_HEAD - 1);
	const cylinder = Math.floor(last / (HEADS * SECTORS_PER_HEAD));
	const head = Math.floor(last / SECTORS_PER_HEAD) % HEADS;
	const sector = (last % SECTORS_PER_HEAD) + 1;
	return [head, sector | ((cylinder >> 8) << 6), cylinder & 0xff];
}

const HEADS = 64;
const SECTORS_PER_HEAD = 32;

/** 512-byte block after the El Torito image's first 2048 bytes, which are for CD firmware only. */
export function grubKernelBlock(elToritoBlock: number): bigint {
	return (BigInt(elToritoBlock) + 1n) * BigInt(ISO_BLOCK_BYTES / DISK_BLOCK_BYTES);
}

/** The used partitions, whether an entry is active, and GRUB's jump. Throws `Oci2isoError` BAD_MBR without a boot signature. */
export function decodeMbr(bytes: Uint8Array): { partitions: MbrPartition[]; isActive: boolean; kernelBlock: bigint } {
	if (bytes.byteLength < DISK_BLOCK_BYTES || hybridMbr.decode(bytes).signature !== SIGNATURE)
		throw corrupt("BAD_MBR", "no master boot record", "512-byte block 0", "512 bytes that end in 55 aa");
	const { partitions, kernelBlock } = hybridMbr.decode(bytes);
	const entries = [0, 16, 32, 48].map((offset) => mbrPartition.decode(partitions, offset));
	return {
		partitions: entries.filter((partition) => partition.type !== 0),
		isActive: entries.some(({ status }) => status === 0x80),
		kernelBlock,
	};
}
