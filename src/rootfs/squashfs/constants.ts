/** squashfs 4.0: identifiers and lengths. Section numbers are those of squashfs-tools-ng's `doc/format.adoc`. */

/** "hsqs" on disk. */
export const SQUASHFS_MAGIC = 0x73717368;
/** Content of one metadata block before compression (2.2). */
export const METADATA_BLOCK_BYTES = 8192;
/** The superblock's length; what follows it is the compressor options or data (3). */
export const SUPERBLOCK_BYTES = 96;
/** An image is padded to a multiple of this, because loop devices and the kernel read whole device blocks. */
export const IMAGE_ALIGNMENT_BYTES = 4096;

/** Superblock flags (3). Only `compressorOptions` steers a reader; the rest say how the image was made. */
export const FLAG = {
	uncompressedInodes: 0x0001,
	uncompressedData: 0x0002,
	uncompressedFragments: 0x0008,
	noFragments: 0x0010,
	alwaysFragments: 0x0020,
	duplicatesRemoved: 0x0040,
	exportable: 0x0080,
	uncompressedXattrs: 0x0100,
	noXattrs: 0x0200,
	compressorOptions: 0x0400,
	uncompressedIds: 0x0800,
} as const;

/** In a block size: the block is stored as it is (4); lists of sizes are written and read as `content` keeps them. */
export { STORED_RAW } from "../../content/block-size.ts";
/** In a metadata block's header: the block is stored as it is (2.2). */
export const METADATA_STORED_RAW = 0x8000;

/** "None", for a fragment index, an xattr index. */
export const NONE_32 = 0xffff_ffff;
/** "None", for a table's position. */
export const NONE_64 = 0xffff_ffff_ffff_ffffn;

/** Basic inode types (5.1); the extended form of each is 7 more. */
export const INODE_TYPE = {
	directory: 1,
	file: 2,
	symlink: 3,
	"block-device": 4,
	"character-device": 5,
	fifo: 6,
	socket: 7,
} as const;
export const EXTENDED = 7;

/** Entries that one directory header may announce (6). */
export const MAX_ENTRIES_PER_HEADER = 256;
/** The name prefixes that have an id (10). */
export const XATTR_PREFIXES = ["user.", "trusted.", "security."] as const;
export const XATTR_OUT_OF_LINE = 0x0100;
