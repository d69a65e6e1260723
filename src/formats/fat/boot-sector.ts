import { from0, record } from "../../binary/record.ts";
import { DISK_BLOCK_BYTES } from "../../binary/units.ts";
import { corrupt } from "../../errors.ts";
import { DIRECTORY_ENTRY_BYTES, dataStart, FAT_COPIES, type FatGeometry, FIRST_CLUSTER } from "./geometry.ts";

/** Microsoft FAT specification (fatgen103), "Boot Sector and BPB Structure": the fields that both types have. */
const parameterBlock = {
	jump: from0.bytes(0, 3),
	oemName: from0.text(3, 8, "\0"),
	bytesPerSector: from0.u16le(11),
	/** A power of two, 1 to 128. */
	sectorsPerCluster: from0.u8(13),
	reservedSectors: from0.u16le(14),
	fatCopies: from0.u8(16),
	/** 0 on FAT32. */
	rootEntries: from0.u16le(17),
	/** 0 where the 32-bit field counts. */
	totalSectors16: from0.u16le(19),
	media: from0.u8(21),
	/** 0 on FAT32. */
	fatSectors16: from0.u16le(22),
	sectorsPerTrack: from0.u16le(24),
	heads: from0.u16le(26),
	hiddenSectors: from0.u32le(28),
	totalSectors32: from0.u32le(32),
} as const;

/** "Extended BPB" of FAT12 and FAT16. */
export const fat16BootSector = record("FAT16 boot sector", DISK_BLOCK_BYTES, {
	...parameterBlock,
	drive: from0.u8(36),
	extendedSignature: from0.u8(38),
	volumeId: from0.u32le(39),
	volumeLabel: from0.text(43, 11),
	typeName: from0.text(54, 8),
	bootCode: from0.bytes(62, 448),
	signature: from0.u16le(510),
});

/** "Extended BPB" of FAT32. */
export const fat32BootSector = record("FAT32 boot sector", DISK_BLOCK_BYTES, {
	...parameterBlock,
	fatSectors32: from0.u32le(36),
	extendedFlags: from0.u16le(40),
	version: from0.u16le(42),
	rootCluster: from0.u32le(44),
	fsInfoSector: from0.u16le(48),
	backupSector: from0.u16le(50),
	drive: from0.u8(64),
	extendedSignature: from0.u8(66),
	volumeId: from0.u32le(67),
	volumeLabel: from0.text(71, 11),
	typeName: from0.text(82, 8),
	bootCode: from0.bytes(90, 420),
	signature: from0.u16le(510),
});

/** "FAT32 FSInfo Sector Structure". */
export const fsInfo = record("FSInfo", DISK_BLOCK_BYTES, {
	leadSignature: from0.u32le(0),
	structureSignature: from0.u32le(484),
	freeClusters: from0.u32le(488),
	/** A hint: the cluster allocated last. */
	lastAllocatedCluster: from0.u32le(492),
	trailSignature: from0.u32le(508),
});

export const FS_INFO_SECTOR = 1;
export const BACKUP_BOOT_SECTOR = 6;
const MEDIA_FIXED_DISK = 0xf8;
const BOOT_SIGNATURE = 0xaa55;
const EXTENDED_SIGNATURE = 0x29;
/** "No bootable disk" to the BIOS (int 0x18), then halt for ever. */
const BOOT_CODE = Uint8Array.of(0xcd, 0x18, 0xf4, 0xeb, 0xfd);

/** Sector 0. `volumeId` is 0 to 2^32 - 1. */
export function encodeBootSector(geometry: FatGeometry, volumeId: number): Buffer {
	const isFat32 = geometry.type === "FAT32";
	const isLarge = isFat32 || geometry.totalSectors > 0xffff;
	const shared = {
		jump: Uint8Array.of(0xeb, isFat32 ? 0x58 : 0x3c, 0x90),
		oemName: "mkfs.fat",
		bytesPerSector: DISK_BLOCK_BYTES,
		sectorsPerCluster: geometry.sectorsPerCluster,
		reservedSectors: geometry.reservedSectors,
		fatCopies: FAT_COPIES,
		rootEntries: geometry.rootEntries,
		totalSectors16: isLarge ? 0 : geometry.totalSectors,
		media: MEDIA_FIXED_DISK,
		fatSectors16: isFat32 ? 0 : geometry.fatSectors,
		sectorsPerTrack: geometry.sectorsPerTrack,
		heads: geometry.heads,
		hiddenSectors: 0,
		totalSectors32: isLarge ? geometry.totalSectors : 0,
		drive: 0x80,
		extendedSignature: EXTENDED_SIGNATURE,
		volumeId,
		volumeLabel: "NO NAME",
		typeName: geometry.type,
		bootCode: BOOT_CODE,
		signature: BOOT_SIGNATURE,
	};
	if (!isFat32) return fat16BootSector.encode(shared);
	return fat32BootSector.encode({
		...shared,
		fatSectors32: geometry.fatSectors,
		extendedFlags: 0,
		version: 0,
		rootCluster: FIRST_CLUSTER,
		fsInfoSector: FS_INFO_SECTOR,
		backupSector: BACKUP_BOOT_SECTOR,
	});
}

export function encodeFsInfo(freeClusters: number, lastAllocatedCluster: number): Buffer {
	return fsInfo.encode({
		leadSignature: 0x41615252,
		structureSignature: 0x61417272,
		freeClusters,
		lastAllocatedCluster,
		trailSignature: 0xaa550000,
	});
}

export interface BootSector {
	readonly geometry: FatGeometry;
	readonly volumeId: number;
	readonly oemName: string;
	/** First cluster of the root directory; undefined on FAT12 and FAT16, where it has its own place. */
	readonly rootCluster: number | undefined;
}

const FAT16_LEAST_CLUSTERS = 4085;
const FAT_ENTRY_BYTES = { FAT12: 1.5, FAT16: 2, FAT32: 4 } as const;

/** Reads sector 0 of a volume of `byteLength`; the type follows from the number of clusters. Throws FAT_BOOT_SECTOR. */
export function decodeBootSector(bytes: Uint8Array, byteLength: number): BootSector {
	const fail = (what: string, expected: string) => corrupt("FAT_BOOT_SECTOR", what, "FAT sector 0", expected);
	const bpb = fat16BootSector.decode(bytes);
	const bpb32 = fat32BootSector.decode(bytes);
	if (bpb.signature !== BOOT_SIGNATURE) throw fail("there is no boot signature", "55 AA at byte 510");
	if (bpb.bytesPerSector !== DISK_BLOCK_BYTES) throw fail(`sectors have ${bpb.bytesPerSector} bytes`, "512");
	const { sectorsPerCluster, reservedSectors, rootEntries, sectorsPerTrack, heads } = bpb;
	if (![1, 2, 4, 8, 16, 32, 64, 128].includes(sectorsPerCluster))
		throw fail(`clusters have ${sectorsPerCluster} sectors`, "a power of two up to 128");
	if (bpb.fatCopies !== FAT_COPIES) throw fail(`there are ${bpb.fatCopies} tables`, "2");
	const isFat32 = bpb.fatSectors16 === 0;
	const fatSectors = isFat32 ? bpb32.fatSectors32 : bpb.fatSectors16;
	const totalSectors = bpb.totalSectors16 === 0 ? bpb.totalSectors32 : bpb.totalSectors16;
	if (totalSectors * DISK_BLOCK_BYTES > byteLength)
		throw fail(`the volume has ${totalSectors} sectors`, `at most ${Math.floor(byteLength / DISK_BLOCK_BYTES)}`);
	if (reservedSectors === 0 || fatSectors === 0)
		throw fail("there is no room for the tables", "reserved and table sectors");
	if (isFat32 ? rootEntries !== 0 : rootEntries === 0 || (rootEntries * DIRECTORY_ENTRY_BYTES) % DISK_BLOCK_BYTES !== 0)
		throw fail(`the root directory has ${rootEntries} slots`, isFat32 ? "0" : "a multiple of 16");
	const shared = {
		type: isFat32 ? "FAT32" : "FAT16",
		byteLength,
		totalSectors,
		sectorsPerCluster,
		reservedSectors,
		fatSectors,
	} as const;
	const withoutCount = { ...shared, rootEntries, sectorsPerTrack, heads, clusterCount: 0 };
	const clusterCount = Math.floor((totalSectors - dataStart(withoutCount)) / sectorsPerCluster);
	const type = isFat32 ? "FAT32" : clusterCount < FAT16_LEAST_CLUSTERS ? "FAT12" : "FAT16";
	const fatEntries = Math.floor((fatSectors * DISK_BLOCK_BYTES) / FAT_ENTRY_BYTES[type]);
	if (clusterCount < 1 || (!isFat32 && clusterCount > 65524))
		throw fail(`there are ${clusterCount} clusters`, `a number that ${type} has`);
	if (clusterCount + FIRST_CLUSTER > fatEntries)
		throw fail(
			`there are ${clusterCount} clusters`,
			`at most ${fatEntries - FIRST_CLUSTER}, as the tables have entries for`,
		);
	return {
		geometry: { ...withoutCount, type, clusterCount },
		volumeId: isFat32 ? bpb32.volumeId : bpb.volumeId,
		oemName: bpb.oemName,
		rootCluster: isFat32 ? bpb32.rootCluster : undefined,
	};
}
