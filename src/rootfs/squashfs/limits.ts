/** The superblock counts ids in 16 bits. */
export const MAX_IDS = 65_535;
/** Linux's limit for the value of one extended attribute. */
export const MAX_XATTR_VALUE_BYTES = 65_536;
