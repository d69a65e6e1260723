import { from0, record, type ValuesOf } from "../../binary/record.ts";
import { SUPERBLOCK_BYTES } from "./constants.ts";

/** The superblock (`struct erofs_super_block`), at `SUPERBLOCK_OFFSET`. */
export const SUPERBLOCK = record("EROFS superblock", SUPERBLOCK_BYTES, {
	magic: from0.u32le(0),
	/** CRC-32C, seeded with ones and not inverted, from here to the end of the first block, this field taken as 0. */
	checksum: from0.u32le(4),
	/** `COMPATIBLE` */
	compatible: from0.u32le(8),
	blockLog2: from0.u8(12),
	/** Further slots of 16 bytes behind the superblock. */
	extensionSlots: from0.u8(13),
	/** With wide addresses, the upper 16 bits of `blocks`. */
	rootNumber: from0.u16le(14),
	inodeCount: from0.u64le(16),
	/** Times of compact inodes are this, or with wide addresses count from it. */
	epochSeconds: from0.u64le(24),
	epochNanoseconds: from0.u32le(32),
	/** Of the image, its lower 32 bits. */
	blocks: from0.u32le(36),
	metadataBlock: from0.u32le(40),
	sharedXattrBlock: from0.u32le(44),
	uuid: from0.bytes(48, 16),
	volumeName: from0.bytes(64, 16),
	/** `INCOMPATIBLE` */
	incompatible: from0.u32le(80),
	/** A bitmap by `ALGORITHM`; without compressor configurations, the distance of lz4's window. */
	algorithms: from0.u16le(84),
	extraDevices: from0.u16le(86),
	deviceTableSlot: from0.u16le(88),
	/** 0: directories have blocks of the image's size. */
	directoryBlockLog2: from0.u8(90),
	xattrPrefixCount: from0.u8(91),
	xattrPrefixStart: from0.u32le(92),
	/** The inode that holds tails; 0 is none. */
	packedNumber: from0.u64le(96),
	/** Reserved bit of the name filter; 0 where filters are valid. */
	xattrFilterReserved: from0.u8(104),
	/** Of wide addresses. */
	buildSeconds: from0.u32le(108),
	wideRootNumber: from0.u64le(112),
});

export type Superblock = ValuesOf<typeof SUPERBLOCK.fields>;

/** What both forms of an inode begin with: 4 bytes. */
const HEADER = {
	/** Bit 0: extended; bits 1 to 3: `DATA_LAYOUT`. */
	format: from0.u16le(0),
	/** 0, or 1 and the number of 4-byte units of attributes behind their header of 12 bytes. */
	xattrUnits: from0.u16le(2),
	/** With the file type. */
	mode: from0.u16le(4),
};

/** `struct erofs_inode_compact` */
export const COMPACT_INODE = record("compact inode", 32, {
	...HEADER,
	linkCount: from0.u16le(6),
	byteLength: from0.u32le(8),
	/** With wide addresses: seconds since the superblock's epoch. */
	mtimeSeconds: from0.u32le(12),
	/** By layout: first block, blocks of compressed data, device number or chunk format. */
	location: from0.u32le(16),
	/** For 32-bit `stat`. */
	inodeNumber: from0.u32le(20),
	uid: from0.u16le(24),
	gid: from0.u16le(26),
});

/** `struct erofs_inode_extended` */
export const EXTENDED_INODE = record("extended inode", 64, {
	...HEADER,
	/** With wide addresses: the upper 16 bits of `location`. */
	locationHigh: from0.u16le(6),
	byteLength: from0.safe64le(8),
	location: from0.u32le(16),
	inodeNumber: from0.u32le(20),
	uid: from0.u32le(24),
	gid: from0.u32le(28),
	/** Signed. */
	mtimeSeconds: from0.u64le(32),
	mtimeNanoseconds: from0.u32le(40),
	linkCount: from0.u32le(44),
});

/** `struct erofs_dirent`; a directory's block begins with these, and their names follow in the same order. */
export const DIRECTORY_ENTRY = record("directory entry", 12, {
	inodeNumber: from0.u64le(0),
	/** In the block. That of the first entry says how many there are. */
	nameOffset: from0.u16le(8),
	/** `ENTRY_TYPE` */
	type: from0.u8(10),
});

/** `struct z_erofs_map_header`, aligned to 8 bytes behind the attributes. The index follows. */
export const MAP_HEADER = record("map header", 8, {
	/** Of the tail in the packed inode; or the length of an inline tail in the upper 16 bits. */
	fragmentOffset: from0.u32le(0),
	/** `MAP_ADVICE` */
	advice: from0.u16le(4),
	/** Of the first kind of extent in the lower 4 bits, of the second in the upper ones. */
	algorithms: from0.u8(6),
	/** Bits 0 to 2: log2 of the logical cluster less the block's; bit 7: the whole file is in the packed inode, and the other 63 bits of the header say where. */
	clusterBits: from0.u8(7),
});

/** `struct z_erofs_lcluster_index`: one for each logical cluster. */
export const CLUSTER_INDEX = record("cluster index", 8, {
	/** `CLUSTER_TYPE`, and bit 15: the reference is a part of an extent. */
	advice: from0.u16le(0),
	/** Where the extent begins in its logical cluster. */
	clusterOffset: from0.u16le(2),
	/** The first block of a head; of others, the distance to theirs in the lower and to the next head in the upper 16 bits. */
	blockOrDeltas: from0.u32le(4),
});

/** `struct erofs_xattr_ibody_header`; then numbers of shared attributes (4 bytes each), then entries. */
export const XATTR_HEADER = record("attributes' header", 12, {
	/** Inverted Bloom filter of the names; 0 without the feature. */
	nameFilter: from0.u32le(0),
	sharedCount: from0.u8(4),
});

/** `struct erofs_xattr_entry`; the rest of the name and the value follow, up to a multiple of 4 bytes. */
export const XATTR_ENTRY = record("attribute", 4, {
	nameBytes: from0.u8(0),
	/** `XATTR_PREFIXES`; bit 7: of the image's own long prefixes. */
	prefix: from0.u8(1),
	valueBytes: from0.u16le(2),
});
