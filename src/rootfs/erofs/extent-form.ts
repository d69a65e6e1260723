/** What an extent's stored bytes are; lower numbers are an `ALGORITHM`. */
export const FORM = {
	/** The content. */
	raw: 16,
	/** The content, rotated so that every byte is where it is in its block of the file. */
	interlaced: 17,
	/** None: its position is one in the packed inode. */
	packed: 18,
} as const;

/** Of a form: the bytes are behind the inode, and not in blocks of their own. */
export const INLINE = 0x20;

/** The longest physical cluster, and the longest content of one: Linux takes no more. */
export const MAX_CLUSTER_BYTES = 2 ** 20;
export const MAX_DECODED_BYTES = 12 * 2 ** 20;
