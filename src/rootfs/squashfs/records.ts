import { from0, record } from "../../binary/record.ts";

/** Common inode header (5.1): 16 bytes. */
const HEADER = {
	/** `INODE_TYPE`, and 7 more for the extended form. */
	type: from0.u16le(0),
	mode: from0.u16le(2),
	/** Indexes of the id table. */
	uidIndex: from0.u16le(4),
	gidIndex: from0.u16le(6),
	/** Seconds since 1970. */
	mtimeSeconds: from0.u32le(8),
	/** 1 to the superblock's inode count. */
	inodeNumber: from0.u32le(12),
};

export const INODE_HEADER = record("inode header", 16, HEADER);

/** 5.2 */
export const DIRECTORY_INODE = record("directory inode", 32, {
	...HEADER,
	listingBlock: from0.u32le(16),
	linkCount: from0.u32le(20),
	/** 3 more than the listing has bytes; 3 and less is an empty directory. */
	listingSize: from0.u16le(24),
	listingOffset: from0.u16le(26),
	parentInodeNumber: from0.u32le(28),
});

/** 5.2; `indexCount` records of `DIRECTORY_INDEX_ENTRY` follow, each with its name. */
export const EXTENDED_DIRECTORY_INODE = record("extended directory inode", 40, {
	...HEADER,
	linkCount: from0.u32le(16),
	/** As in the basic form. */
	listingSize: from0.u32le(20),
	listingBlock: from0.u32le(24),
	parentInodeNumber: from0.u32le(28),
	indexCount: from0.u16le(32),
	listingOffset: from0.u16le(34),
	xattrIndex: from0.u32le(36),
});

/** 5.3; the block sizes follow, 4 bytes each. */
export const FILE_INODE = record("file inode", 32, {
	...HEADER,
	firstBlock: from0.u32le(16),
	/** `NONE_32`: the tail is a block of its own. */
	fragmentIndex: from0.u32le(20),
	fragmentOffset: from0.u32le(24),
	byteLength: from0.u32le(28),
});

/** 5.3; the block sizes follow, 4 bytes each. */
export const EXTENDED_FILE_INODE = record("extended file inode", 56, {
	...HEADER,
	firstBlock: from0.safe64le(16),
	byteLength: from0.safe64le(24),
	/** Bytes of holes, for `st_blocks`. */
	sparseBytes: from0.safe64le(32),
	linkCount: from0.u32le(40),
	fragmentIndex: from0.u32le(44),
	fragmentOffset: from0.u32le(48),
	xattrIndex: from0.u32le(52),
});

/** 5.4; the target follows, and in the extended form the xattr index after it. */
export const SYMLINK_INODE = record("symlink inode", 24, {
	...HEADER,
	linkCount: from0.u32le(16),
	targetBytes: from0.u32le(20),
});

/** 5.5; in the extended form the xattr index follows. */
export const DEVICE_INODE = record("device inode", 24, {
	...HEADER,
	linkCount: from0.u32le(16),
	deviceNumber: from0.u32le(20),
});

/** 5.6; in the extended form the xattr index follows. */
export const IPC_INODE = record("fifo or socket inode", 20, {
	...HEADER,
	linkCount: from0.u32le(16),
});

export const XATTR_INDEX = record("xattr index of an extended inode", 4, { xattrIndex: from0.u32le(0) });

/** 6: before at most 256 entries, whose inodes are all in the inode table's block at `inodeBlock`. */
export const DIRECTORY_HEADER = record("directory header", 12, {
	/** One less than the number of entries. */
	lastEntry: from0.u32le(0),
	inodeBlock: from0.u32le(4),
	/** What the entries' inode numbers are relative to. */
	inodeNumber: from0.u32le(8),
});

/** 6; the name follows. */
export const DIRECTORY_ENTRY = record("directory entry", 8, {
	inodeOffset: from0.u16le(0),
	/** Two's complement: inode number less the header's. */
	inodeNumberDelta: from0.u16le(2),
	/** The basic type, for extended inodes too. */
	type: from0.u16le(4),
	/** One less than the name has bytes. */
	lastNameByte: from0.u16le(6),
});

/** 6.1; the name of the first entry after the header follows. */
export const DIRECTORY_INDEX_ENTRY = record("directory index entry", 12, {
	/** Of a header, from the listing's beginning. */
	listingPosition: from0.u32le(0),
	/** The directory table's block that holds the header. */
	directoryBlock: from0.u32le(4),
	/** One less than the name has bytes. */
	lastNameByte: from0.u32le(8),
});

/** 7 */
export const FRAGMENT_ENTRY = record("fragment entry", 16, {
	position: from0.safe64le(0),
	/** As a block size: bit 24 means stored as it is. */
	size: from0.u32le(8),
});

/** 10: one set of attributes. */
export const XATTR_ID_ENTRY = record("xattr id entry", 16, {
	/** Relative to the first block of pairs. */
	reference: from0.safe64le(0),
	pairCount: from0.u32le(8),
	/** Of the pairs before compression. */
	byteLength: from0.u32le(12),
});

/** 10: at the superblock's xattr position; the id table's block positions follow. */
export const XATTR_TABLE_HEADER = record("xattr table header", 16, {
	pairsPosition: from0.safe64le(0),
	setCount: from0.u32le(8),
});
