import { type ByteString, displayName } from "../../binary/byte-string.ts";
import { Oci2isoError } from "../../errors.ts";

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
