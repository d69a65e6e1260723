import { region } from "../binary/byte-source.ts";
import type { ByteString } from "../binary/byte-string.ts";
import { ISO_BLOCK_BYTES, MiB } from "../binary/units.ts";
import { createCompressor } from "../codec/compressor.ts";
import { createDecompressor } from "../codec/decompressor.ts";
import type { BlockCompressor } from "../codec/types.ts";
import { assert } from "../errors.ts";
import type { OciImage } from "../oci/open-image.ts";
import type { Target } from "../output/target.ts";
import { compileExcludes, DEFAULT_EXCLUDES } from "../squashfs/excludes.ts";
import { type SquashfsSummary, SquashfsWriter, type StoredFile } from "../squashfs/squashfs-writer.ts";
import { compileXattrDropper, type DroppedXattrs, type XattrDropper } from "../tree/drop-xattrs.ts";
import { withoutPaths } from "../tree/filter.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { BodyId, DirectoryInode } from "../tree/inode.ts";
import { TreeMerger } from "../tree/merge.ts";
import { countPaths, walk } from "../tree/walk.ts";
import { BodyStore } from "./body-store.ts";
import { collectLayers, collectMissing, type LayerCounts } from "./collect.ts";
import { createImageTree } from "./contents.ts";
import { SQUASHFS_BLOCK } from "./iso-layout.ts";
import { describeLosses } from "./losses.ts";
import type { ResolvedOptions } from "./options.ts";
import type { BuildProgress } from "./progress.ts";

const PENDING_BYTES = 4 * MiB;
const PENDING_BLOCKS_PER_JOB = 3;

/** The image in its final place: every layer read, the squashfs written. */
export interface SquashfsStage {
	readonly tree: ImageTree;
	readonly summary: SquashfsSummary;
	readonly layers: readonly LayerCounts[];
	readonly compressor: Pick<BlockCompressor, "codec" | "level" | "encoder">;
	readonly excludedPaths: number;
	readonly droppedXattrs: readonly DroppedXattrs[];
	readonly notes: readonly string[];
	/** What the image holds and the squashfs cannot, one sentence each. */
	readonly losses: readonly string[];
}

/** Streams the image's layers into a squashfs at `SQUASHFS_BLOCK` of `target`. */
export async function writeSquashfs(
	image: OciImage,
	target: Target,
	epochSeconds: number,
	options: ResolvedOptions,
	progress: BuildProgress,
): Promise<SquashfsStage> {
	const isExcluded = compileExcludes([...(options.defaultExcludes ? DEFAULT_EXCLUDES : []), ...options.exclude]);
	const dropXattrs = compileXattrDropper(options.dropXattr);
	const compressor = await createCompressor({
		codec: options.comp,
		level: options.level,
		blockBytes: options.blockSize,
		threads: options.jobs,
		onNotice: (text) => progress.notice(text),
	});
	try {
		return await stream(image, target, epochSeconds, options, progress, compressor, isExcluded, dropXattrs);
	} finally {
		await compressor.close();
	}
}

async function stream(
	image: OciImage,
	target: Target,
	epochSeconds: number,
	{ signal, blockSize, comp, jobs }: ResolvedOptions,
	progress: BuildProgress,
	compressor: BlockCompressor,
	isExcluded: (path: ByteString) => boolean,
	dropXattrs: XattrDropper,
): Promise<SquashfsStage> {
	const start = SQUASHFS_BLOCK * ISO_BLOCK_BYTES;
	const squashfs = new SquashfsWriter({
		sink: { write: (position, bytes) => target.write(start + position, bytes) },
		compressor,
		blockBytes: blockSize,
		modificationTimeSeconds: epochSeconds,
		maxPendingBlocks: pendingBlocks(blockSize, jobs),
	});
	const bodies = new BodyStore<StoredFile>(image.layers.length);
	const merger = new TreeMerger({
		layerCount: image.layers.length,
		createdParentTime: { seconds: epochSeconds, nanoseconds: 0 },
		...image.treeLimits,
	});
	const totalBytes = image.layers.reduce((sum, { compressedBytes }) => sum + compressedBytes, 0);
	const onBytes = (bytes: number): void => progress.bytes(bytes, totalBytes);
	const unapplied: string[] = [];
	const onNote = (text: string): void => void unapplied.push(text);
	const context = { layers: image.layers, squashfs, bodies, signal, onBytes, onNote };

	progress.phase("layers");
	const layers = await collectLayers({ ...context, merger, isExcluded });
	const merged = merger.settle();
	const kept = withoutPaths(merged.root, isExcluded);
	const droppedXattrs = dropXattrs(kept);
	await collectMissing(context, missingBodies(kept, bodies), "store", layers);

	progress.phase("squashfs");
	await squashfs.finishData();
	const summary = squashfs.finish(kept, (file) => {
		const stored = bodies.stored(file.body);
		assert(stored !== undefined, `no content for entry ${file.body.entry}`);
		return stored;
	});
	// A large duplicate at the end may have been taken back: nothing of it stays behind the tables.
	target.truncate(start + summary.byteLength);
	const tree = createImageTree({
		root: merged.root,
		bodies,
		squashfs: region(target, start, summary.byteLength),
		decompressor: createDecompressor(comp),
		layoutOf: (file) => squashfs.storedFileLayout(file),
		fetchAside: (body) => collectMissing(context, [body], "aside", layers),
	});
	return {
		tree,
		summary,
		layers,
		compressor,
		excludedPaths: countPaths(merged.root) - countPaths(kept),
		droppedXattrs,
		losses: [...unapplied, ...describeLosses(summary)],
		notes: merged.notes,
	};
}

/** Enough that no thread waits while this one reads on; each block is held twice, as it is and compressed. */
function pendingBlocks(blockBytes: number, jobs: number): number {
	return Math.max(Math.ceil(PENDING_BYTES / blockBytes), PENDING_BLOCKS_PER_JOB * jobs);
}

function* missingBodies(root: DirectoryInode, bodies: BodyStore<StoredFile>): Generator<BodyId> {
	for (const { inode } of walk(root)) {
		if (inode.type === "file" && bodies.stored(inode.body) === undefined) yield inode.body;
	}
}
