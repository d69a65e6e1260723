import type { ByteString } from "../../../binary/byte-string.ts";
import type { ImageTree } from "../../../tree/image-tree.ts";
import { lookupQuietly } from "../../../tree/lookup-quietly.ts";
import type { GrubFileReader } from "./core-image/build-core.ts";

/** Reads GRUB's files out of an image. `directory` is absolute and canonical. */
export function grubFileReader(tree: ImageTree, directory: ByteString): GrubFileReader {
	return async (name, maxBytes) => {
		const file = lookupQuietly(tree, `${directory}/${name}`)?.inode;
		return file?.type === "file" ? tree.read(file, maxBytes) : undefined;
	};
}
