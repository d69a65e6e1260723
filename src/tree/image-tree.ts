import type { ByteString } from "../binary/byte-string.ts";
import type { DirectoryInode, FileInode, Inode } from "./inode.ts";

/** A path that was looked up, with every symbolic link on the way resolved inside the image. */
export interface Found {
	/** Absolute and canonical: `/usr/lib/os-release`. */
	readonly path: ByteString;
	readonly inode: Inode;
}

/** The merged image, as the contract and the tools see it: lookups stay inside it, contents come on demand. */
export interface ImageTree {
	readonly root: DirectoryInode;
	/**
	 * Resolves `path` from the image's root. Absolute and relative symbolic links are followed inside the image, `..` stops at the root.
	 * The last component is followed unless `followLast` is false.
	 * Returns undefined when nothing is there; throws `Oci2isoError` SYMLINK_LOOP after 40 links.
	 */
	lookup(path: ByteString, options?: { readonly followLast?: boolean }): Found | undefined;
	/** The whole content; throws `Oci2isoError` FILE_TOO_LARGE beyond `maxBytes`. */
	read(file: FileInode, maxBytes: number): Promise<Uint8Array>;
	/** The content in order, holes as zeros, in chunks of at most 1 MiB. A chunk is valid only until the next one is asked for. */
	stream(file: FileInode): AsyncIterable<Uint8Array>;
}
