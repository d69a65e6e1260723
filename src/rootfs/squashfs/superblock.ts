import { from0, record, type ValuesOf } from "../../binary/record.ts";
import { SUPERBLOCK_BYTES } from "./constants.ts";

/** The superblock (section 3). Table positions are absolute; `NONE_64` where a table is absent. */
export const SUPERBLOCK = record("squashfs superblock", SUPERBLOCK_BYTES, {
	magic: from0.u32le(0),
	/** Also the largest inode number. */
	inodeCount: from0.u32le(4),
	/** Seconds since 1970. */
	modificationTimeSeconds: from0.u32le(8),
	/** A power of two, 4 KiB to 1 MiB. */
	blockBytes: from0.u32le(12),
	fragmentCount: from0.u32le(16),
	/** 1 gzip, 2 lzma, 3 lzo, 4 xz, 5 lz4, 6 zstd */
	compressor: from0.u16le(20),
	blockLog2: from0.u16le(22),
	flags: from0.u16le(24),
	idCount: from0.u16le(26),
	versionMajor: from0.u16le(28),
	versionMinor: from0.u16le(30),
	/** Block position in the inode table << 16 | offset in the block. */
	rootInode: from0.u64le(32),
	/** Without the padding at the end. */
	bytesUsed: from0.safe64le(40),
	idTable: from0.u64le(48),
	xattrTable: from0.u64le(56),
	inodeTable: from0.u64le(64),
	directoryTable: from0.u64le(72),
	fragmentTable: from0.u64le(80),
	exportTable: from0.u64le(88),
});

export type Superblock = ValuesOf<typeof SUPERBLOCK.fields>;
