import { type ByteString, bytesOf, displayName } from "../binary/byte-string.ts";
import { Oci2isoError } from "../errors.ts";
import type { DeviceInode, SymlinkInode } from "../tree/inode.ts";
import { MAX_TARGET_BYTES } from "../tree/path.ts";

/** Linux's limit for the name of an extended attribute. */
export const MAX_XATTR_NAME_BYTES = 255;
/** Data blocks of all files together, holes included: bounds what a sparse file of a hostile image can cost (4 bytes each). */
export const MAX_TOTAL_BLOCKS = 2 ** 28;

/** Something of the image that its format, or Linux reading it, cannot hold. */
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

/** Throws `Oci2isoError` INVALID_LINK_TARGET where Linux could not follow it. */
export function linkTarget({ target }: SymlinkInode, path: () => ByteString): Buffer {
	if (target.length === 0 || target.length > MAX_TARGET_BYTES)
		throw beyondLimit(
			"INVALID_LINK_TARGET",
			`the link target "${displayName(target.slice(0, 80))}" has ${target.length} bytes`,
			path(),
			`1 to ${MAX_TARGET_BYTES} bytes`,
		);
	return bytesOf(target);
}

/** As Linux's `new_encode_dev` has it. Throws `Oci2isoError` DEVICE_NUMBER_TOO_LARGE. */
export function deviceNumber({ major, minor }: DeviceInode, path: () => ByteString): number {
	if (!(major >= 0 && major <= 0xfff && minor >= 0 && minor <= 0xf_ffff))
		throw beyondLimit(
			"DEVICE_NUMBER_TOO_LARGE",
			`device ${major}:${minor} cannot be stored`,
			path(),
			"a major number to 4095 and a minor number to 1048575",
		);
	return ((minor & 0xff) | (major << 8) | ((minor & 0xf_ff00) << 12)) >>> 0;
}

/** What `deviceNumber` is made of. */
export function deviceOf(number: number): Pick<DeviceInode, "major" | "minor"> {
	return { major: (number >>> 8) & 0xfff, minor: (number & 0xff) | ((number >>> 12) & 0xf_ff00) };
}
