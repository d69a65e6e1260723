import type { ByteString } from "../binary/byte-string.ts";
import { MiB } from "../binary/units.ts";
import { fileTooLarge } from "./file-too-large.ts";
import type { DirectoryInode, FileInode, Inode } from "./inode.ts";
import { createLookup } from "./lookup.ts";

const CHUNK_BYTES = MiB;

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

/** `tree`, with the contents of `files` from `other`, whose they are. */
export function readingFrom(tree: ImageTree, other: ImageTree, files: ReadonlySet<FileInode>): ImageTree {
	const treeOf = (file: FileInode): ImageTree => (files.has(file) ? other : tree);
	return {
		...tree,
		read: (file, maxBytes) => treeOf(file).read(file, maxBytes),
		stream: (file) => treeOf(file).stream(file),
	};
}

/** A tree whose contents `contentOf` gives: in memory, or in chunks as `ImageTree.stream` has them. */
export function createImageTree(
	root: DirectoryInode,
	contentOf: (file: FileInode) => Promise<Uint8Array | AsyncIterable<Uint8Array>>,
): ImageTree {
	return {
		root,
		lookup: createLookup(root),
		async read(file, maxBytes) {
			if (file.byteLength > maxBytes) throw fileTooLarge(root, file, maxBytes);
			const content = await contentOf(file);
			if (content instanceof Uint8Array) return content;
			const bytes = Buffer.alloc(file.byteLength);
			let length = 0;
			for await (const chunk of content) {
				bytes.set(chunk, length);
				length += chunk.byteLength;
			}
			return bytes;
		},
		async *stream(file) {
			const content = await contentOf(file);
			if (content instanceof Uint8Array)
				for (let at = 0; at < content.byteLength; at += CHUNK_BYTES) yield content.subarray(at, at + CHUNK_BYTES);
			else yield* content;
		},
	};
}
