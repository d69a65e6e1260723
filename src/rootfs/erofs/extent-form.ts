import { MiB } from "../../binary/units.ts";
import type { Extent } from "../../content/extent-layout.ts";

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
export const MAX_CLUSTER_BYTES = MiB;
export const MAX_DECODED_BYTES = 12 * MiB;

/** A content as it is, or a hole where `position` is undefined; `flag`: `INLINE`, or 0. */
export function rawExtent(byteLength: number, position: number | undefined, flag = 0): Extent {
	return { byteLength, position, storedBytes: byteLength, form: FORM.raw | flag, isPartial: false };
}

/** A content at `position` of the packed inode. */
export function packedExtent(byteLength: number, position: number): Extent {
	return { byteLength, position, storedBytes: byteLength, form: FORM.packed, isPartial: false };
}
