import { rmSync, truncateSync } from "node:fs";
import { atOnce } from "../../src/binary/turns.ts";
import { createCompressor } from "../../src/codec/compressor.ts";
import { ErofsWriter } from "../../src/rootfs/erofs/erofs-writer.ts";
import type { RootSummary } from "../../src/rootfs/root-file-system.ts";
import type { DirectoryInode, FileInode } from "../../src/tree/inode.ts";
import { ImageFile } from "./disk-tree.ts";
import type { CodecOptions } from "./squashfs-images.ts";
import { type ContentPart, placeIn, storeContents } from "./trees.ts";

/** Writes an EROFS image file with a real codec. */
export async function writeErofsFile(
	path: string,
	root: DirectoryInode,
	partsOf: (file: FileInode) => Iterable<ContentPart> | AsyncIterable<ContentPart>,
	{ codec, level, threads = 2, holes = false, ...options }: CodecOptions,
): Promise<RootSummary> {
	rmSync(path, { force: true });
	const compressor = await createCompressor({ codec, level, threads, gzipForm: "raw", blockBytes: options.blockBytes });
	const sink = new ImageFile(path, holes);
	try {
		const fragmentRule = codec === "none" ? "none" : options.fragmentRule;
		const writer = new ErofsWriter({ ...options, sink, compressor, modificationTimeSeconds: 0, fragmentRule });
		const stored = await storeContents(writer, root, partsOf);
		const summary = atOnce(writer.finishing(root, placeIn(stored)));
		truncateSync(path, summary.byteLength);
		return summary;
	} finally {
		await compressor.close();
		sink.close();
	}
}
