import { MiB } from "../../binary/units.ts";
import { fileTooLarge } from "../../tree/file-too-large.ts";
import type { ImageTree } from "../../tree/image-tree.ts";
import type { FileInode } from "../../tree/inode.ts";

/** A file that is read from its start as often as it takes, and never held whole. */
export interface StreamedFile {
	/** Bytes in all. */
	readonly byteLength: number;
	/** The content in order, in chunks of any length. A chunk is valid only until the next one is asked for. */
	stream(): AsyncIterable<Uint8Array>;
}

/** A file of an image. Throws `Oci2isoError` FILE_TOO_LARGE beyond `maxBytes`. */
export async function streamedFile(tree: ImageTree, inode: FileInode, maxBytes: number): Promise<StreamedFile> {
	if (inode.byteLength > maxBytes) throw fileTooLarge(tree.root, inode, maxBytes);
	return { byteLength: inode.byteLength, stream: () => tree.stream(inode) };
}

/** Bytes in memory as a file, in chunks of `chunkBytes`. */
export function memoryFile(bytes: Uint8Array, chunkBytes: number = MiB): StreamedFile {
	return {
		byteLength: bytes.byteLength,
		async *stream() {
			for (let at = 0; at < bytes.byteLength; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
		},
	};
}
