import { rmSync, truncateSync } from "node:fs";
import type { ByteSource } from "../../src/binary/byte-source.ts";
import { createCompressor } from "../../src/codec/compressor.ts";
import type { BranchFilter, CodecName } from "../../src/codec/types.ts";
import type { RootFile } from "../../src/rootfs/root-inode.ts";
import { openSquashfs } from "../../src/rootfs/squashfs/squashfs-reader.ts";
import type { DirectoryInode, FileInode } from "../../src/tree/inode.ts";
import { contentOnDisk, diskTree, ImageFile } from "./disk-tree.ts";
import {
	type ContentPart,
	type ImageOptions,
	type PathFacts,
	treeFacts,
	type WrittenImage,
	writeTree,
} from "./trees.ts";

export interface CodecOptions extends ImageOptions {
	readonly codec: CodecName;
	readonly level?: number;
	readonly bcj?: BranchFilter;
	readonly threads?: number;
	/** Leave the zeros at the end of a write unwritten. */
	readonly holes?: boolean;
}

/** Writes an image file with a real codec. */
export async function writeImageFile(
	path: string,
	root: DirectoryInode,
	partsOf: (file: FileInode) => Iterable<ContentPart> | AsyncIterable<ContentPart>,
	{ codec, level, bcj, threads = 2, holes = false, ...options }: CodecOptions,
): Promise<WrittenImage> {
	rmSync(path, { force: true });
	const compressor = await createCompressor({ codec, level, bcj, threads, blockBytes: options.blockBytes });
	const file = new ImageFile(path, holes);
	try {
		const written = await writeTree(root, partsOf, file, compressor, options);
		truncateSync(path, written.summary.byteLength);
		return written;
	} finally {
		await compressor.close();
		file.close();
	}
}

/** What a directory holds, as the kernel shows it. */
export async function diskFacts(path: string, how?: { nanoseconds: boolean }): Promise<Map<string, PathFacts>> {
	const tree = await diskTree(path);
	return treeFacts<FileInode>(tree.root, (file) => contentOnDisk(tree, file), how);
}

/** What our reader makes of an image in any codec. */
export async function imageFileFacts(source: ByteSource): Promise<Map<string, PathFacts>> {
	const reader = await openSquashfs(source);
	return treeFacts<RootFile>(await reader.readTree(), (file) => reader.contents.read(file.layout));
}
