import { alignUp, DISK_BLOCK_BYTES, divideCeil, ISO_BLOCK_BYTES } from "../../binary/units.ts";
import { assert } from "../../errors.ts";
import type { Gpt, GptPartition } from "./gpt.ts";
import type { Guid } from "./guid.ts";

/** Partition types (UEFI table 5.7; basic data is Microsoft's). */
export const PARTITION_TYPE = {
	efiSystem: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
	basicData: "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",
} as const satisfies Record<string, Guid>;

/** Required partition (bit 0) and read-only (bit 60), as xorriso marks what is not the appended partition. */
export const REQUIRED_READ_ONLY = (1n << 60n) | 1n;

/** 300 KiB between the last partition and the backup GPT, which readers that prefetch may touch. */
const PADDING_BLOCKS = 150;
/** Holds the backup GPT, which is 63 of these 64 blocks of 512 bytes. */
const BACKUP_GPT_BLOCKS = 16;
const SECTORS_PER_BLOCK = ISO_BLOCK_BYTES / DISK_BLOCK_BYTES;
/** After MBR, GPT header and 248 entries; also where the ISO 9660 partition starts. */
const FIRST_USABLE_SECTOR = 64;

/** What follows the volume. Places count blocks of 2048 bytes unless named sectors (512 bytes). */
export interface DiskLayout {
	readonly efiSystemBlock: number;
	readonly efiSystemBlocks: number;
	readonly paddingBlock: number;
	readonly paddingBlocks: number;
	readonly backupGptBlock: number;
	/** Of the whole image. */
	readonly imageBlocks: number;
	readonly imageSectors: number;
	readonly gpt: Gpt;
}

export interface DiskGuids {
	readonly disk: Guid;
	readonly iso9660: Guid;
	readonly efiSystem: Guid;
	readonly padding: Guid;
}

/**
 * Places the appended EFI system partition of `efiSystemByteLength` bytes (1 or more) after the volume's last block, then padding
 * and the backup GPT. `volumeEndBlock` is the first block after the volume.
 */
export function layOutDisk(volumeEndBlock: number, efiSystemByteLength: number, guids: DiskGuids): DiskLayout {
	assert(volumeEndBlock * SECTORS_PER_BLOCK > FIRST_USABLE_SECTOR, "the volume ends within the system area");
	assert(efiSystemByteLength > 0, "an empty EFI system partition");
	const efiSystemBlocks = divideCeil(alignUp(efiSystemByteLength, ISO_BLOCK_BYTES), ISO_BLOCK_BYTES);
	const paddingBlock = volumeEndBlock + efiSystemBlocks;
	const backupGptBlock = paddingBlock + PADDING_BLOCKS;
	const imageBlocks = backupGptBlock + BACKUP_GPT_BLOCKS;
	const partition = (
		name: string,
		typeGuid: Guid,
		partitionGuid: Guid,
		attributes: bigint,
		[firstBlock, endBlock]: [number, number],
	): GptPartition => ({ name, typeGuid, partitionGuid, attributes, firstBlock, lastBlock: endBlock - 1 });
	const { basicData, efiSystem } = PARTITION_TYPE;
	const sector = (block: number): number => block * SECTORS_PER_BLOCK;
	return {
		efiSystemBlock: volumeEndBlock,
		efiSystemBlocks,
		paddingBlock,
		paddingBlocks: PADDING_BLOCKS,
		backupGptBlock,
		imageBlocks,
		imageSectors: sector(imageBlocks),
		gpt: {
			diskGuid: guids.disk,
			firstUsableBlock: FIRST_USABLE_SECTOR,
			lastUsableBlock: sector(imageBlocks) - FIRST_USABLE_SECTOR,
			diskBlocks: sector(imageBlocks),
			partitions: [
				partition("ISO9660", basicData, guids.iso9660, REQUIRED_READ_ONLY, [
					FIRST_USABLE_SECTOR,
					sector(volumeEndBlock),
				]),
				partition("Appended2", efiSystem, guids.efiSystem, 0n, [sector(volumeEndBlock), sector(paddingBlock)]),
				partition("Gap1", basicData, guids.padding, REQUIRED_READ_ONLY, [sector(paddingBlock), sector(backupGptBlock)]),
			],
		},
	};
}
