import { memorySource } from "../../../../src/binary/byte-source.ts";
import { atOnce } from "../../../../src/binary/turns.ts";
import { createCompressor } from "../../../../src/codec/compressor.ts";
import type { CodecName } from "../../../../src/codec/types.ts";
import type { FragmentRule } from "../../../../src/content/fragment-rule.ts";
import { openErofs } from "../../../../src/rootfs/erofs/erofs-reader.ts";
import { ErofsWriter } from "../../../../src/rootfs/erofs/erofs-writer.ts";
import type { RootFile } from "../../../../src/rootfs/root-inode.ts";
import type { DirectoryInode, FileInode, Inode } from "../../../../src/tree/inode.ts";
import { noise } from "../../../support/noise.ts";
import { MemorySink, placeIn, storeContents, TreeBuilder, treeFacts, withZeros } from "../../../support/trees.ts";

const EXACT = { nanoseconds: true };

export interface ImageSettings {
	readonly codec: CodecName;
	readonly blockBytes: number;
	readonly fragmentRule?: FragmentRule;
}

/** An image in memory, of our writer's. */
export async function makeImage(
	tree: TreeBuilder,
	root: DirectoryInode,
	{ codec, blockBytes, fragmentRule }: ImageSettings,
): Promise<Buffer> {
	const compressor = await createCompressor({
		codec,
		threads: 1,
		gzipForm: "raw",
		blockBytes,
		level: codec === "zstd" ? 3 : undefined,
	});
	try {
		const sink = new MemorySink();
		const rule = codec === "none" ? "none" : fragmentRule;
		const writer = new ErofsWriter({ sink, compressor, blockBytes, modificationTimeSeconds: 0, fragmentRule: rule });
		const stored = await storeContents(writer, root, (file) => tree.contents.get(file) ?? []);
		const { byteLength } = atOnce(writer.finishing(root, placeIn(stored)));
		return Buffer.from(sink.bytes(byteLength));
	} finally {
		await compressor.close();
	}
}

/** What our reader makes of an image. */
export async function imageFacts(image: Uint8Array) {
	const reader = await openErofs(memorySource(image));
	return treeFacts<RootFile>(await reader.readTree(), (file) => reader.contents.read(file.layout), EXACT);
}

/** What the tree that was given says. */
export function inputFacts(tree: TreeBuilder, root: DirectoryInode) {
	return treeFacts<FileInode>(root, (file) => withZeros(tree.contents.get(file) ?? []), EXACT);
}

/** Every kind of inode, layout and attribute, and a directory of `entryCount` names. */
export function assortedTree(entryCount: number): { readonly tree: TreeBuilder; readonly root: DirectoryInode } {
	const tree = new TreeBuilder();
	const hard = tree.file("hard");
	const children: Record<string, Inode> = {};
	for (let i = 0; i < entryCount; i++)
		children[`entry-${i}`] = i % 3 === 0 ? tree.symlink("t") : tree.file(`content ${i}`);
	const root = tree.directory({
		d: tree.directory({ hard, children: tree.directory(children) }),
		e: tree.directory({ hard, x: tree.file("x", { xattrs: { "user.a": "b", "security.c": Buffer.alloc(200, 1) } }) }),
		large: tree.file([Buffer.alloc(30_000, "large "), noise(9000, 1), { hole: 50_000 }, Buffer.from("end")]),
		noise: tree.file(noise(20_000, 2), { uid: 70_000, mtime: { seconds: -5, nanoseconds: 7 } }),
		text: tree.file(Buffer.alloc(9000, "some text\n")),
		hole: tree.file([{ hole: 100_000 }]),
		dev: tree.device("character-device", 1, 3),
		"dev-all": tree.device("block-device", 4095, 0xf_ffff),
		fifo: tree.ipc("fifo"),
		link: tree.symlink("target/".repeat(100)),
	});
	return { tree, root };
}
