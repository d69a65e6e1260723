import { memorySource } from "../../../../src/binary/byte-source.ts";
import type { RootFile } from "../../../../src/rootfs/root-inode.ts";
import { openSquashfs } from "../../../../src/rootfs/squashfs/squashfs-reader.ts";
import type { DirectoryInode, FileInode, Inode } from "../../../../src/tree/inode.ts";
import { type ImageOptions, MemorySink, TreeBuilder, treeFacts, withZeros, writeTree } from "../../../support/trees.ts";
import { zlibCompressor, zlibDecompressor } from "../../../support/zlib-compressor.ts";

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
	return openSquashfs(memorySource(image), undefined, () => zlibDecompressor);
}

/** What our reader makes of an image. */
export async function imageFacts(image: Uint8Array) {
	const reader = await openImage(image);
	return treeFacts<RootFile>(await reader.readTree(), (file) => reader.contents.read(file.layout));
}

/** What the tree that was given says. */
export function inputFacts(builder: TreeBuilder, root: DirectoryInode) {
	return treeFacts<FileInode>(root, (file) => withZeros(builder.contents.get(file) ?? []));
}

/** One image with every kind of inode and attribute and a directory of `entryCount` names: its blocks as they are, and compressed. */
export async function assortedImages(
	entryCount: number,
): Promise<{ readonly stored: Buffer; readonly compressed: Buffer }> {
	const tree = new TreeBuilder();
	const hard = tree.file("hard");
	const children: Record<string, Inode> = {};
	for (let i = 0; i < entryCount; i++)
		children[`entry-${i}`] = i % 3 === 0 ? tree.symlink("t") : tree.file(`content ${i}`);
	const root = tree.directory({
		d: tree.directory({ hard, children: tree.directory(children) }),
		e: tree.directory({ hard, x: tree.file("x", { xattrs: { "user.a": "b", "security.c": Buffer.alloc(200, 1) } }) }),
		y: tree.file("y", { xattrs: { "user.z": Buffer.alloc(200, 1) } }),
		large: tree.file([Buffer.alloc(9000, "large"), { hole: 50_000 }, Buffer.from("end")]),
		dev: tree.device("character-device", 1, 3),
		fifo: tree.ipc("fifo"),
	});
	return {
		stored: (await makeImage(tree, root, { stored: true })).image,
		compressed: (await makeImage(tree, root)).image,
	};
}
