import type { ByteString } from "../binary/byte-string.ts";
import type { GrubFileReader } from "../boot/grub/made/core-image/build-core.ts";
import type { ImageTree } from "../tree/image-tree.ts";

/** Reads GRUB's files out of an image. `directory` is absolute and canonical. */
export function grubFileReader(tree: ImageTree, directory: ByteString): GrubFileReader {
	return async (name, maxBytes) => {
		const file = tree.lookup(`${directory}/${name}`)?.inode;
		return file?.type === "file" ? tree.read(file, maxBytes) : undefined;
	};
}
