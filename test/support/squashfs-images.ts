import { rmSync, truncateSync } from "node:fs";
import type { ByteSource } from "../../src/binary/byte-source.ts";
import { codecFromSquashfsId } from "../../src/codec/codec-table.ts";
import { createCompressor } from "../../src/codec/compressor.ts";
import { createDecompressor } from "../../src/codec/decompressor.ts";
import type { CodecName } from "../../src/codec/types.ts";
import type { SquashfsFile } from "../../src/rootfs/squashfs/squashfs-inode.ts";
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
	readonly threads?: number;
	/** Leave the zeros at the end of a write unwritten. */
	readonly holes?: boolean;
}

/** Writes an image file with a real codec. */
export async function writeImageFile(
	path: string,
	root: DirectoryInode,
	partsOf: (file: FileInode) => Iterable<ContentPart> | AsyncIterable<ContentPart>,
	{ codec, level, threads = 2, holes = false, ...options }: CodecOptions,
): Promise<WrittenImage> {
	rmSync(path, { force: true });
	const compressor = await createCompressor({ codec, level, threads, blockBytes: options.blockBytes });
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
export async function diskFacts(path: string): Promise<Map<string, PathFacts>> {
	const tree = await diskTree(path);
	return treeFacts<FileInode>(tree.root, (file) => contentOnDisk(tree, file));
}

/** What our reader makes of an image in any codec. */
export async function imageFileFacts(source: ByteSource): Promise<Map<string, PathFacts>> {
	const reader = await openSquashfs(source, (id) => createDecompressor(codecFromSquashfsId(id)));
	return treeFacts<SquashfsFile>(await reader.readTree(), (file) => reader.readFile(file.layout));
}
