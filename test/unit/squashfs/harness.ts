import { memorySource } from "../../../src/binary/byte-source.ts";
import type { SquashfsFile } from "../../../src/squashfs/squashfs-inode.ts";
import { openSquashfs } from "../../../src/squashfs/squashfs-reader.ts";
import type { DirectoryInode, FileInode } from "../../../src/tree/inode.ts";
import {
	type ImageOptions,
	MemorySink,
	type TreeBuilder,
	treeFacts,
	withZeros,
	writeTree,
} from "../../support/trees.ts";
import { zlibCompressor, zlibDecompressor } from "../../support/zlib-compressor.ts";

export interface ImageSettings extends Partial<ImageOptions> {
	readonly resultsPerTurn?: number;
	readonly stored?: boolean;
	/** Contents are appended in pieces of this length. */
	readonly pieceBytes?: number;
}

export async function makeImage(builder: TreeBuilder, root: DirectoryInode, settings: ImageSettings = {}) {
	const { resultsPerTurn, stored, pieceBytes = 1 << 20, ...rest } = settings;
	const options = { blockBytes: 4096, ...rest };
	const sink = new MemorySink();
	const compressor = zlibCompressor({ blockBytes: options.blockBytes, resultsPerTurn, stored });
	const written = await writeTree(
		root,
		(file) => pieces(builder.contents.get(file) ?? [], pieceBytes),
		sink,
		compressor,
		options,
	);
	return { ...written, image: Buffer.from(sink.bytes(written.summary.byteLength)) };
}

function* pieces(parts: Iterable<Uint8Array | { readonly hole: number }>, pieceBytes: number) {
	for (const part of parts) {
		if ("hole" in part) yield part;
		else for (let at = 0; at < part.byteLength; at += pieceBytes) yield part.subarray(at, at + pieceBytes);
	}
}

export function openImage(image: Uint8Array) {
	return openSquashfs(memorySource(image), () => zlibDecompressor);
}

/** What our reader makes of an image. */
export async function imageFacts(image: Uint8Array) {
	const reader = await openImage(image);
	return treeFacts<SquashfsFile>(await reader.readTree(), (file) => reader.readFile(file.layout));
}

/** What the tree that was given says. */
export function inputFacts(builder: TreeBuilder, root: DirectoryInode) {
	return treeFacts<FileInode>(root, (file) => withZeros(builder.contents.get(file) ?? []));
}
