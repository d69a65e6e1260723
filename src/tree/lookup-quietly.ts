import type { ByteString } from "../binary/byte-string.ts";
import { Oci2isoError } from "../errors.ts";
import type { Found, ImageTree } from "./image-tree.ts";

/** What `tree.lookup` finds; a loop of symbolic links leads nowhere. */
export function lookupQuietly(
	tree: Pick<ImageTree, "lookup">,
	path: ByteString,
	options?: Parameters<ImageTree["lookup"]>[1],
): Found | undefined {
	try {
		return tree.lookup(path, options);
	} catch (error) {
		if (error instanceof Oci2isoError && error.code === "SYMLINK_LOOP") return undefined;
		throw error;
	}
}
