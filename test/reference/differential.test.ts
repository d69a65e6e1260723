import { spawnSync } from "node:child_process";
import { chmodSync, lutimesSync, mkdirSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ByteString, bytesOf } from "../../src/binary/byte-string.ts";
import { atOnce } from "../../src/binary/turns.ts";
import type { TarHandler } from "../../src/formats/tar/entry.ts";
import { TarReader } from "../../src/formats/tar/reader.ts";
import type { DirectoryInode, FileInode } from "../../src/tree/inode.ts";
import { TreeMerger } from "../../src/tree/merge.ts";
import { walk } from "../../src/tree/walk.ts";
import { withLoopMount } from "../support/loop.ts";
import { requires } from "../support/requires.ts";
import { richLayers } from "../support/rich-layers.ts";
import { run } from "../support/run.ts";
import { roundsOf } from "../support/slow.ts";
import { writeImageFile } from "../support/squashfs-images.ts";
import { tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type ContentPart, withZeros } from "../support/trees.ts";
import { contentDetail, diskRows, NOW, unpackLayers } from "../support/unpacked-rows.ts";
import { type Layers, type Row, rowsOf } from "../unit/tree/layers.ts";
import { applicableLayers } from "../unit/tree/model.ts";

/** Stacks of layers; OCI2ISO_FUZZ_RUNS asks for more, OCI2ISO_FUZZ_SEED for others. */
const STACKS = Number(process.env["OCI2ISO_FUZZ_RUNS"] ?? roundsOf(240));
const SEED = Number(process.env["OCI2ISO_FUZZ_SEED"] ?? 1_618_033);
/** Share one image, which saves most of what mounting and mksquashfs take. */
const STACKS_AT_ONCE = 24;
const MAX_SECONDS = 2 ** 32 - 1;
const BLOCK_BYTES = 4096;

interface Merged {
	readonly root: DirectoryInode;
	/** In the form of `diskRows`. */
	readonly rows: Map<ByteString, Row>;
}

/** Reads the layers as a build does, contents with the holes that the archives have. */
function merge(layers: Layers, contents: Map<FileInode, readonly ContentPart[]>): Merged {
	const merger = new TreeMerger({ layerCount: layers.length });
	const bodies = new Map<string, ContentPart[]>();
	for (let index = layers.length - 1; index >= 0; index--) {
		const layer = merger.layer(index);
		let parts: ContentPart[] = [];
		const handler: TarHandler = {
			entry(entry) {
				layer.entry(entry);
				parts = [];
				if (entry.type === "file") bodies.set(`${index}:${entry.index}`, parts);
			},
			data: (bytes) => parts.push(Buffer.from(bytes)),
			hole: (hole) => parts.push({ hole }),
			endEntry() {},
		};
		const reader = new TarReader(handler, { origin: "test.tar" });
		reader.push(tarArchive(layers[index] ?? []));
		reader.finish();
		atOnce(layer.finishing());
	}
	const { root } = atOnce(merger.settling());
	const rows = rowsOf(root);
	for (const { path, inode } of walk(root)) {
		if (inode.type !== "file") continue;
		const parts = bodies.get(`${inode.layer}:${inode.entry}`) ?? [];
		contents.set(inode, parts);
		const row = rows.get(path);
		if (row !== undefined) row.detail = contentDetail(Buffer.concat([...withZeros(parts)]));
	}
	return { root, rows };
}

/** umoci does not know GNU's old sparse headers: it gets the same files whole. */
function forUmoci(layers: Layers): Layers {
	return layers.map((members) =>
		members.map(({ sparse, ...member }) => (sparse === "gnu" ? member : { ...member, sparse })),
	);
}

/** Gives what umoci left to the clock, and what mksquashfs cannot store, the time that we store. */
function settleTimes(root: string, rows: ReadonlyMap<ByteString, Row>, ours: ReadonlyMap<ByteString, Row>): void {
	for (const [path, { mtime }] of rows) {
		const seconds = storedSeconds(ours.get(path)?.mtime ?? "0.0");
		if (mtime !== NOW && storedSeconds(mtime) === Number(mtime.split(".")[0])) continue;
		lutimesSync(Buffer.concat([Buffer.from(`${root}/`), bytesOf(path)]), seconds, seconds);
	}
}

function storedSeconds(mtime: string): number {
	return Math.min(Math.max(Number(mtime.split(".")[0]), 0), MAX_SECONDS);
}

const reason = requires("root", "umoci", "getfattr", "mksquashfs", "sqfsdiff", "mount");

describe.skipIf(reason !== undefined)("random layers", () => {
	const scratch = temporaryDirectory("differential");
	const met = { stacks: 0, names: 0, unclocked: 0, links: 0, holes: 0, xattrs: 0, types: new Set<string>() };

	/** umoci's tree and ours, mksquashfs' image of umoci's tree and our image, and the kernel's view of that. */
	async function compare(stacks: readonly Layers[]): Promise<void> {
		const disk = join(scratch, "disk");
		rmSync(disk, { recursive: true, force: true });
		mkdirSync(disk);
		const contents = new Map<FileInode, readonly ContentPart[]>();
		const all = new Map<ByteString, DirectoryInode>();
		const expected: Map<ByteString, Row>[] = [];
		for (const [i, stack] of stacks.entries()) {
			const layers = applicableLayers(stack, (model) => !model.isUnlikeUmoci);
			const root = join(disk, String(i));
			expect(unpackLayers(forUmoci(layers), join(scratch, "image"), root)).toBeUndefined();
			const theirs = diskRows(root);
			const ours = merge(layers, contents);
			for (const [path, row] of theirs) {
				if (row.mtime === NOW) row.mtime = ours.rows.get(path)?.mtime ?? NOW;
				else met.unclocked++;
			}
			expect(ours.rows).toEqual(theirs);
			settleTimes(root, diskRows(root), ours.rows);
			for (const row of ours.rows.values()) row.mtime = `${storedSeconds(row.mtime)}.0`;
			expected.push(ours.rows);
			all.set(String(i), ours.root);
			count(ours.rows);
		}
		await compareImages(disk, all, contents, expected);
	}

	async function compareImages(
		disk: string,
		trees: Map<ByteString, DirectoryInode>,
		contents: ReadonlyMap<FileInode, readonly ContentPart[]>,
		expected: readonly Map<ByteString, Row>[],
	): Promise<void> {
		const [ours, theirs] = [join(scratch, "ours.squashfs"), join(scratch, "theirs.squashfs")];
		chmodSync(disk, 0o755);
		utimesSync(disk, 1, 1);
		rmSync(theirs, { force: true });
		const compression = ["-comp", "gzip", "-Xcompression-level", "1", "-b", String(BLOCK_BYTES)];
		await run("mksquashfs", [disk, theirs, "-noappend", "-no-progress", "-quiet", "-processors", "1", ...compression]);
		const attributes = { mode: 0o755, uid: 0, gid: 0, mtime: { seconds: 1, nanoseconds: 0 }, xattrs: new Map() };
		const root: DirectoryInode = { type: "directory", ...attributes, entries: new Map(trees) };
		const partsOf = (file: FileInode) => contents.get(file) ?? [];
		await writeImageFile(ours, root, partsOf, { codec: "gzip", level: 1, threads: 1, blockBytes: BLOCK_BYTES });
		const { status, stdout, stderr } = spawnSync("sqfsdiff", ["-T", "-a", theirs, "-b", ours], { encoding: "latin1" });
		// umoci writes holes as zeros, so that mksquashfs need not count them, for which it would need the extended form.
		let differences = `\n${stdout}`;
		for (const { path, inode } of walk(root))
			if (inode.type === "file" && partsOf(inode).some((part) => "hole" in part))
				differences = differences.replace(`\n/${path} has an extended type\n`, () => "\n");
		expect([differences, stderr]).toEqual(["\n", ""]);
		expect(status).toBeLessThan(2);
		await withLoopMount(ours, "squashfs", {}, async (mountPoint) => {
			for (const [i, rows] of expected.entries()) expect(diskRows(join(mountPoint, String(i)))).toEqual(rows);
			for (const parts of contents.values()) if (parts.some((part) => "hole" in part)) met.holes++;
		});
	}

	function count(rows: ReadonlyMap<ByteString, Row>): void {
		met.stacks++;
		met.names += rows.size;
		for (const { type, sameAs, xattrs } of rows.values()) {
			met.types.add(type);
			if (sameAs !== undefined) met.links++;
			if (xattrs !== "") met.xattrs++;
		}
	}

	it(
		"become the tree of umoci, the image of mksquashfs, and what the kernel reads",
		async () => {
			const batches = fc.array(richLayers, { minLength: STACKS_AT_ONCE, maxLength: STACKS_AT_ONCE });
			await fc.assert(fc.asyncProperty(batches, compare), {
				seed: SEED,
				numRuns: Math.ceil(STACKS / STACKS_AT_ONCE),
				// A failing batch is named by its path; looking for a smaller one takes longer than reading the difference.
				endOnFailure: true,
			});
			expect(met.stacks).toBeGreaterThanOrEqual(STACKS);
			expect([...met.types].sort()).toEqual(
				["block-device", "character-device", "directory", "fifo", "file", "symlink"].sort(),
			);
			expect(met.unclocked / met.names).toBeGreaterThan(0.4);
			for (const few of [met.links, met.holes, met.xattrs]) expect(few).toBeGreaterThan(STACKS / 4);
		},
		4 * 60 * 60 * 1000,
	);
});
