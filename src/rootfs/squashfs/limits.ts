import { type ByteString, displayName } from "../../binary/byte-string.ts";
import { Oci2isoError } from "../../errors.ts";

/** The superblock counts ids in 16 bits. */
export const MAX_IDS = 65_535;
/** Linux's limits for one extended attribute: name (after the prefix) and value. */
export const MAX_XATTR_NAME_BYTES = 255;
export const MAX_XATTR_VALUE_BYTES = 65_536;
/** Data blocks of all files together, holes included: bounds what a sparse file of a hostile image can cost (4 bytes each). */
export const MAX_TOTAL_BLOCKS = 2 ** 28;

/** Something of the image that squashfs, or Linux reading it, cannot hold. */
export function beyondLimit(code: string, what: string, path: ByteString | undefined, expected: string): Oci2isoError {
	return new Oci2isoError({
		code,
		kind: "contract",
		what,
		where: path === undefined ? undefined : displayName(path),
		expected,
		remedy: "change the image, or exclude the path",
	});
}
