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
	contentOfWhole: (file: FileInode) => Promise<Uint8Array | AsyncIterable<Uint8Array>>,
): ImageTree {
	const contentOf: typeof contentOfWhole = async (file) => {
		const { part, byteLength } = file;
		if (part === undefined) return contentOfWhole(file);
		const { of: whole, offset } = part;
		const content = await contentOfWhole(whole);
		if (content instanceof Uint8Array) return content.subarray(offset, offset + byteLength);
		return stretchOf(content, offset, offset + byteLength);
	};
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

/** As a file of its own: `byteLength` bytes from `offset` on. */
export function partOf(of: FileInode, offset: number, byteLength: number): FileInode {
	return { ...of, xattrs: new Map(), byteLength, part: { of, offset } };
}

async function* stretchOf(chunks: AsyncIterable<Uint8Array>, start: number, end: number): AsyncGenerator<Uint8Array> {
	let at = 0;
	for await (const chunk of chunks) {
		const [from, to] = [Math.max(start - at, 0), Math.min(end - at, chunk.byteLength)];
		if (from < to) yield chunk.subarray(from, to);
		at += chunk.byteLength;
		if (at >= end) return;
	}
}
