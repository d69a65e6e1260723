import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { memorySource } from "../../src/binary/byte-source.ts";
import { createCompressor } from "../../src/codec/compressor.ts";
import type { CodecName } from "../../src/codec/types.ts";
import type { DirectoryInode, FileInode } from "../../src/tree/inode.ts";
import { imageFileFacts } from "../support/squashfs-images.ts";
import { MemorySink, TreeBuilder, treeFacts, withZeros, writeTree } from "../support/trees.ts";
import { addonMissing } from "./addon-required.ts";

/** Files of many lengths, duplicates among them that are taken back while other blocks are in flight. */
function busyTree(): { tree: TreeBuilder; root: DirectoryInode } {
	const tree = new TreeBuilder();
	const root = tree.directory();
	for (let i = 0; i < 120; i++) {
		const kind = i % 40;
		const content = Buffer.alloc((kind % 8) ** 6 * 13 + kind, `content of kind ${kind} `);
		root.entries.set(`file-${i}`, tree.file([content, { hole: (kind % 3) * 10_000 }, Buffer.from(`${kind}`)]));
	}
	return { tree, root };
}

describe.skipIf(addonMissing)("an image made with the addon", () => {
	// Where the encoder's sources are pinned, the bytes are what they were in November 2026.
	it.each<[codec: CodecName, level: number, blockBytes: number, sha256?: string]>([
		["zstd", 6, 1_048_576, "8d8432e533315654aa180ec5d2c0d3540931e127602d019be392822af3c3c137"],
		["zstd", 3, 16_384, "5eb2b32f374195f153055ac22ef74180db484e6e46641fb5162e85b6a3d346ae"],
		["gzip", 6, 16_384],
		["xz", 1, 16_384],
		["lz4", 0, 16_384, "a42c766727ffc4ab30614b9e2752afda09bb825c36922a8710f8d3335983ef51"],
	])("is the same for any number of threads, and reads back (%s %d)", async (codec, level, blockBytes, sha256) => {
		const { tree, root } = busyTree();
		const partsOf = (file: FileInode) => tree.contents.get(file) ?? [];
		const make = async (threads: number): Promise<Buffer> => {
			const compressor = await createCompressor({ codec, level, blockBytes, threads, backend: "native" });
			try {
				const sink = new MemorySink();
				const { summary } = await writeTree(root, partsOf, sink, compressor, { blockBytes });
				expect(summary.data.duplicateFiles).toBe(80);
				return Buffer.from(sink.bytes(summary.byteLength));
			} finally {
				await compressor.close();
			}
		};
		const serial = await make(1);
		for (const threads of [2, 8]) expect(digest(await make(threads))).toBe(digest(serial));
		if (sha256 !== undefined) expect(digest(serial)).toBe(sha256);
		const expected = await treeFacts<FileInode>(root, (file) => withZeros(partsOf(file)));
		expect(await imageFileFacts(memorySource(serial))).toEqual(expected);
	});
});

function digest(bytes: Uint8Array): string {
	return createHash("sha256").update(bytes).digest("hex");
}
