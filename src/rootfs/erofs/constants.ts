/** EROFS: identifiers, flags and lengths, as in Linux's `fs/erofs/erofs_fs.h`. */

/** Of the superblock. */
export const EROFS_MAGIC = 0xe0f5e1e2;
/** Where the superblock is in the image. */
export const SUPERBLOCK_OFFSET = 1024;
export const SUPERBLOCK_BYTES = 128;
/** Block size of every image that we write: addresses count blocks of it, and Linux takes no larger one than a page. */
export const BLOCK_BYTES = 4096;
/** What the upper half of a number counts, where that is in two fields. */
export const HIGH = 2 ** 32;
/** An inode's number says where it is, in these units from the beginning of the metadata. */
export const INODE_SLOT_BYTES = 32;

/** `feature_compat`: a reader may ignore them. */
export const COMPATIBLE = {
	superblockChecksum: 0x1,
	/** Modification times are the inodes' own. */
	mtime: 0x2,
	xattrFilter: 0x4,
	/** Long prefixes of attributes' names are not in the packed inode (6.17). */
	plainXattrPrefixes: 0x10,
} as const;

/** `feature_incompat`: a reader that does not know one must refuse. */
export const INCOMPATIBLE = {
	/** Compressed data is at the end of its blocks (Linux 5.3). */
	zeroPadding: 0x1,
	/** Configurations of compressors follow the superblock; also large physical clusters (5.13). */
	compressorConfigurations: 0x2,
	/** Files in chunks (5.15). */
	chunkedFile: 0x4,
	/** More devices (5.16). */
	deviceTable: 0x8,
	/** Tails of compressed files beside the inode (5.17). */
	inlineTails: 0x10,
	/** Tails in a file of their own, and extents that several files share (6.1). */
	fragments: 0x20,
	/** Long prefixes of attributes' names (6.4). */
	xattrPrefixes: 0x40,
	/** Addresses of 48 bits and extents with byte addresses (6.15). */
	wideAddresses: 0x80,
	/** Compressed metadata (6.17). */
	metabox: 0x100,
} as const;

/** `available_compr_algs` is a bitmap of these. */
export const ALGORITHM = { lz4: 0, lzma: 1, deflate: 2, zstd: 3 } as const;

/** How an inode's data is found: bits 1 to 3 of its format. */
export const DATA_LAYOUT = { flat: 0, compressedFull: 1, flatInline: 2, compressedCompact: 3, chunked: 4 } as const;

/** The type of an extent in the index. */
export const CLUSTER_TYPE = { plain: 0, head1: 1, nonHead: 2, head2: 3 } as const;
/** In the first `delta` of a non-head: the rest is the number of blocks of the physical cluster. */
export const CLUSTER_BLOCKS = 0x800;

/** Of the map header, and of an inline tail behind an index. */
export const MAP_ALIGNMENT = 8;

/** `h_advise` of the map header. */
export const MAP_ADVICE = {
	/** The compact index has packs of 2 bytes; with wide addresses, the map is a list of extents. */
	compact2Bytes: 0x1,
	largeClusters1: 0x2,
	largeClusters2: 0x4,
	inlineTail: 0x8,
	/** Plain clusters may begin in the middle. */
	interlacedPlain: 0x10,
	/** The end of the file is in the packed inode. */
	fragment: 0x20,
} as const;

/** Types in directory entries. */
export const ENTRY_TYPE = {
	file: 1,
	directory: 2,
	"character-device": 3,
	"block-device": 4,
	fifo: 5,
	socket: 6,
	symlink: 7,
} as const;

/** Attributes are counted in these, and an entry begins at a multiple of it. */
export const XATTR_UNIT_BYTES = 4;

/** Prefixes of attributes' names by their index; those of POSIX ACLs are the whole name. */
export const XATTR_PREFIXES = {
	1: "user.",
	2: "system.posix_acl_access",
	3: "system.posix_acl_default",
	4: "trusted.",
	6: "security.",
} as const;
