import { lstatSync, readdirSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { memorySource } from "../../src/binary/byte-source.ts";
import { atOnce } from "../../src/binary/turns.ts";
import { createCompressor } from "../../src/codec/compressor.ts";
import type { CodecName } from "../../src/codec/types.ts";
import type { FragmentRule } from "../../src/content/fragment-rule.ts";
import { assert } from "../../src/errors.ts";
import { Findings } from "../../src/findings/findings.ts";
import { EROFS } from "../../src/rootfs/erofs/erofs.ts";
import { ErofsWriter } from "../../src/rootfs/erofs/erofs-writer.ts";
import type { FileInode } from "../../src/tree/inode.ts";
import { checkContents } from "../../src/verify/contents-check.ts";
import { ImageFile } from "../support/disk-tree.ts";
import { writeErofsFile } from "../support/erofs-images.ts";
import { withLoopMount } from "../support/loop.ts";
import { requires } from "../support/requires.ts";
import { richTree } from "../support/rich-tree.ts";
import { expectSparseFile, SPARSE_PARTS } from "../support/sparse-file.ts";
import { diskFacts } from "../support/squashfs-images.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { placeIn, storeContents, TreeBuilder, treeFacts, withZeros } from "../support/trees.ts";

const KiB = 1024;
const GiB = 2 ** 30;

/** `getfacl`: user::rw-, user:1000:r--, group::r--, mask::r--, other::--- */
const ACL = Buffer.from(
	"02000000" + "01000600ffffffff" + "02000400e8030000" + "04000400ffffffff" + "10000400ffffffff" + "20000000ffffffff",
	"hex",
);
const EXACT = { nanoseconds: true };

describe.skipIf(requires("root", "mount", "getfattr"))("the kernel", () => {
	const scratch = temporaryDirectory("erofs");
	const image = join(scratch, "image.erofs");

	it.each<[CodecName, number, FragmentRule]>([
		["zstd", 4 * KiB, "small-files"],
		["zstd", 1024 * KiB, "all-tails"],
		["lz4", 128 * KiB, "small-files"],
		["lz4", 16 * KiB, "none"],
		["gzip", 64 * KiB, "all-tails"],
		["none", 4 * KiB, "none"],
		["none", 128 * KiB, "none"],
	])("reads everything back from %s in blocks of %d bytes, tails: %s", async (codec, blockBytes, fragmentRule) => {
		const { tree, root } = richTree(blockBytes);
		root.entries.set("before 1970", tree.file("old", { mtime: { seconds: -86_401, nanoseconds: 999_999_999 } }));
		root.entries.set("beyond 2106", tree.symlink("new", { mtime: { seconds: 2 ** 33, nanoseconds: 1 } }));
		root.entries.set("listed", tree.file("acl", { mode: 0o640, xattrs: { "system.posix_acl_access": ACL } }));
		const defaults = { "system.posix_acl_default": ACL, "user.x": "x" };
		root.entries.set("inherits", tree.directory({ "-": tree.ipc("fifo") }, { xattrs: defaults }));
		const partsOf = (file: FileInode) => tree.contents.get(file) ?? [];
		const level = codec === "zstd" ? { level: 3 } : {};
		const summary = await writeErofsFile(image, root, partsOf, { codec, blockBytes, fragmentRule, ...level });
		expect(summary.losses).toEqual([]);
		const expected = await treeFacts<FileInode>(root, (file) => withZeros(partsOf(file)), EXACT);
		const actual = await withLoopMount(image, "erofs", {}, (path) => diskFacts(path, EXACT));
		expect(Object.fromEntries(actual)).toEqual(Object.fromEntries(expected));
	});

	it.each<[CodecName, number]>([
		["zstd", 200_000],
		["none", 200],
	])("reads a sparse file of 5 GiB from %s, and a directory of %d", async (codec, count) => {
		const tree = new TreeBuilder();
		const large = tree.directory();
		const target = tree.file("shared");
		for (let i = 0; i < count; i++) large.entries.set(`entry-${i}`, i % 10 === 0 ? tree.symlink(`${i}`) : target);
		const root = tree.directory({ sparse: tree.file(SPARSE_PARTS), hole: tree.file([{ hole: 5 * GiB }]), large });
		const options = { codec, blockBytes: 128 * KiB };
		const { byteLength } = await writeErofsFile(image, root, (file) => tree.contents.get(file) ?? [], options);
		expect(byteLength).toBeLessThan(40_000_000);
		await withLoopMount(image, "erofs", {}, async (mountPoint) => {
			const { blocks } = expectSparseFile(join(mountPoint, "sparse"));
			if (codec === "zstd") expect(blocks * 512).toBeLessThan(1_000_000);
			expect(readdirSync(join(mountPoint, "large")).length).toBe(count);
			expect(lstatSync(join(mountPoint, "large/entry-1")).nlink).toBe(0.9 * count);
			expect(readFileSync(join(mountPoint, `large/entry-${count - 1}`), "utf8")).toBe("shared");
		});
	});

	it("reads two images with contents in common, and so does verify", async () => {
		const { tree, root } = richTree(128 * KiB);
		const sub = root.entries.get("files");
		assert(sub?.type === "directory", "the rich tree has one");
		const partsOf = (file: FileInode) => tree.contents.get(file) ?? [];
		const compressor = await createCompressor({ codec: "zstd", level: 3, threads: 2, blockBytes: 128 * KiB });
		const sink = new ImageFile(image);
		const writer = new ErofsWriter({
			sink,
			compressor,
			blockBytes: 128 * KiB,
			modificationTimeSeconds: 0,
			furtherImages: 1,
		});
		const stored = await storeContents(writer, root, partsOf);
		const a = atOnce(writer.finishing(root, placeIn(stored)));
		const b = atOnce(writer.finishing(sub, placeIn(stored)));
		truncateSync(image, b.start + b.byteLength);
		await compressor.close();
		for (const [s, r] of [
			[a, root],
			[b, sub],
		] as const) {
			const expected = await treeFacts<FileInode>(r, (file) => withZeros(partsOf(file)), { nanoseconds: true });
			const actual = await withLoopMount(image, "erofs", { offsetBytes: s.start, sizeBytes: s.byteLength }, (p) =>
				diskFacts(p, { nanoseconds: true }),
			);
			expect(Object.fromEntries(actual)).toEqual(Object.fromEntries(expected));
		}
		const bytes = readFileSync(image);
		const findings = new Findings();
		const images = [];
		for (const s of [a, b])
			images.push({
				start: s.start,
				image: await EROFS.check(memorySource(bytes.subarray(s.start, s.start + s.byteLength)), findings, undefined),
			});
		await checkContents(
			images,
			() => true,
			findings,
			() => findings,
		);
		expect(findings.list.filter(({ severity }) => severity === "fault")).toEqual([]);
	});
});
