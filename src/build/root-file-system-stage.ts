import { region } from "../binary/byte-source.ts";
import type { ByteString } from "../binary/byte-string.ts";
import { elementAt } from "../binary/element-at.ts";
import { inParallel } from "../binary/in-parallel.ts";
import { inTurns } from "../binary/turns.ts";
import { MiB } from "../binary/units.ts";
import type { BlockStore } from "../cache/block-store.ts";
import type { BuildCache } from "../cache/build-cache.ts";
import { isDamage } from "../cache/failures.ts";
import type { BlockNeed, CacheSource } from "../cache/remote/cache-source.ts";
import type { BlockSettings } from "../cache/settings.ts";
import { createCompressor } from "../codec/compressor.ts";
import { createDecompressor } from "../codec/decompressor.ts";
import type { BlockCompressor, BranchFilter, CodecName } from "../codec/types.ts";
import type { FragmentRule } from "../content/fragment-rule.ts";
import type { StoredFile } from "../content/stored-data.ts";
import { assert } from "../errors.ts";
import { LayerCollector } from "../layers/collect.ts";
import type { CollectedLayer, LayerCounts } from "../layers/collected-layer.ts";
import { type LayerUsage, measuringUsage } from "../layers/disk-usage.ts";
import { compileXattrDropper, type DroppedXattrs, isDropped, type XattrDropper } from "../layers/drop-xattrs.ts";
import { compileExcludes } from "../layers/excludes.ts";
import { type ReadLayer, settleImage } from "../layers/image-pass.ts";
import { keepBlocks, usedBytes } from "../layers/keep-blocks.ts";
import { nativeContentHasher } from "../native/content-hasher.ts";
import type { OciImage } from "../oci/open-image.ts";
import type { Target } from "../output/target.ts";
import type { PayloadImage } from "../payload/payload-images.ts";
import { withStore } from "../payload/store-in-root.ts";
import type { RootFileSystem, RootSummary } from "../rootfs/root-file-system.ts";
import { LABEL_XATTR, type SelinuxChoice } from "../selinux/choice.ts";
import { type Labels, labelImage, mayLabel } from "../selinux/label-image.ts";
import { createImageTree, type ImageTree } from "../tree/image-tree.ts";
import type { FileInode } from "../tree/inode.ts";
import { createLookup } from "../tree/lookup.ts";
import { type CopyTarget, ImageCopier } from "./image-copier.ts";
import { halved, recordedLayers, storeOf } from "./payload-store.ts";
import type { BuildProgress } from "./progress.ts";

const PENDING_BYTES = 4 * MiB;
const PENDING_BLOCKS_PER_JOB = 3;
/** Each attempt removes a damaged file from the store; after so many the store is not asked any more. */
const MAX_ATTEMPTS = 4;
/** A registry is asked one question for each layer that is known. */
const QUESTIONS_AT_A_TIME = 8;

/** The images' contents in their final place, of the first one and of others: every layer read, every data block of the root file systems written. */
export interface RootFileSystemStage extends ImageStage {
	readonly further: readonly ImageStage[];
	/** Writes what is left of the root file systems, their tables; to be called once. In the order of the images, container storage last. Throws as `RootWriter.finishing` does. */
	writeTables(): Promise<RootSummary[]>;
	readonly compressor: Pick<BlockCompressor, "codec" | "level" | "encoder">;
	/** Once the trees were read for the last time, and the target is still open: the cache takes down what it was used for. Only the first call counts. */
	finishCache(): Promise<void>;
}

/** Of one image. */
export interface ImageStage {
	/** Reads contents back from the data blocks. */
	readonly tree: ImageTree;
	/** Gets contents that the root file system leaves out and nobody set aside, each layer read once for all of them. Throws as `collectMissing` does. */
	fetchAside(files: Iterable<FileInode>): Promise<void>;
	readonly layers: readonly LayerOutcome[];
	/** What they take, told apart by directories and files; reads nothing. */
	diskUsage(): Promise<LayerUsage[]>;
	readonly excludedPaths: number;
	readonly droppedXattrs: readonly DroppedXattrs[];
	/** Inodes that were others' and are root's; undefined where that was not asked for. */
	readonly givenToRoot: number | undefined;
	readonly notes: readonly string[];
	/** What the image's SELinux policy gave to its inodes; undefined where it was not asked. */
	readonly labels: Labels | undefined;
	/** What layers hold and no tree can, one sentence each. */
	readonly losses: readonly string[];
}

/** What one layer cost; all but counts in bytes. */
interface LayerOutcome extends LayerCounts {
	/** Of its blocks in the image, what an earlier build had compressed. */
	readonly reusedBytes: number;
	readonly recompressedBytes: number;
}

/** How the root file system is made; `jobs` changes no byte. */
interface StageOptions {
	readonly format: RootFileSystem;
	readonly comp: CodecName;
	readonly level: number | undefined;
	readonly blockSize: number;
	readonly bcj?: BranchFilter | undefined;
	readonly fragmentRule?: FragmentRule | undefined;
	readonly exportable?: boolean | undefined;
	/** All patterns. */
	readonly exclude: readonly string[];
	readonly dropXattr: readonly string[];
	/** Default `auto`. */
	readonly selinux?: SelinuxChoice | undefined;
	readonly allRoot?: boolean | undefined;
	readonly jobs: number;
	readonly signal?: AbortSignal | undefined;
}

interface StageInput {
	/** One root file system for each, which have contents in common. */
	readonly images: readonly [OciImage, ...OciImage[]];
	/** What container storage has, and where it is: in the first root file system, or the last one. */
	readonly store: { readonly payloads: readonly PayloadImage[]; readonly place: "root" | "medium" } | undefined;
	readonly target: Target & CopyTarget;
	/** Byte of the target where the first root file system begins. */
	readonly start: number;
	readonly epochSeconds: number;
	readonly options: StageOptions;
	readonly progress: BuildProgress;
	readonly cache: BuildCache | undefined;
	/** Stores of other machines, which fill the cache. */
	readonly source: CacheSource | undefined;
	/** Of what the root file systems leave out, the files (no leading slash) that will be read all the same. */
	readonly isWantedAside?: ((path: ByteString) => boolean) | undefined;
	readonly isExcluded: (path: ByteString) => boolean;
	readonly dropXattrs: XattrDropper;
}

/** Streams the images' layers into the data blocks of root file systems at `start` of `target`, with what earlier builds left in the cache. */
export async function writeRootFileSystem(
	input: Omit<StageInput, "isExcluded" | "dropXattrs">,
): Promise<RootFileSystemStage> {
	const { images, store, target, options, progress, cache } = input;
	const isExcluded = compileExcludes(options.exclude);
	const dropXattrs = compileXattrDropper(options.dropXattr);
	const announced = new Set<string>();
	const payloads = store?.payloads ?? [];
	const ofStore = new Set(payloads.flatMap(({ layers }) => layers.map(({ diffId }) => diffId)));
	for (const image of images) {
		if (cache !== undefined) await requireAbsent(image, cache, options.signal);
		// what is indexed will hardly be read unless container storage has it, nor what another image has
		const unread = image.layers.toReversed().filter(({ digest }) => !announced.has(digest));
		image.announce(unread.filter(({ digest, diffId }) => ofStore.has(diffId) || cache?.hasLayer(digest) !== true));
		for (const { digest } of image.layers) announced.add(digest);
	}
	const own = new Set(images.flatMap(({ layers }) => layers.map(({ diffId }) => diffId)));
	for (const { announce, layers } of payloads) announce(layers.filter(({ diffId }) => !own.has(diffId)));
	for (let attempt = 1; ; attempt++) {
		const compressor = await createCompressor({
			codec: options.comp,
			level: options.level,
			bcj: options.bcj,
			gzipForm: options.format.gzipForm,
			blockBytes: options.blockSize,
			threads: options.jobs,
			onNotice: (text) => progress.notice(text),
		});
		const { codec, level, encoder } = compressor;
		const settings = { codec, level, encoder, blockBytes: options.blockSize };
		const decompressor = createDecompressor(options.comp, options.format);
		const blocks = attempt > MAX_ATTEMPTS ? undefined : await cache?.openBlocks(settings, decompressor);
		try {
			return await stream({ ...input, isExcluded, dropXattrs }, compressor, settings, blocks);
		} catch (error) {
			await compressor.close();
			blocks?.close();
			if (!isDamage(error)) throw error;
			progress.notice(`${error.what} (${error.where}); starting again without it`);
			target.truncate(0);
		}
	}
}

/** A layer that is known and not there any more is read, so that the build fails as it does without a cache. */
async function requireAbsent(image: OciImage, cache: BuildCache, signal: AbortSignal | undefined): Promise<void> {
	const distinct = new Map(image.layers.map((layer) => [layer.digest, layer]));
	const known = [...distinct.values()].filter(({ digest }) => cache.hasLayer(digest));
	await inParallel(known, QUESTIONS_AT_A_TIME, async (layer) => {
		if (!(await layer.isThere(signal))) cache.requireReading(layer.digest);
	});
}

async function stream(
	input: StageInput,
	compressor: BlockCompressor,
	settings: BlockSettings,
	blocks: BlockStore | undefined,
): Promise<RootFileSystemStage> {
	const { images, store, target, start, epochSeconds, progress, cache, source, isExcluded, dropXattrs } = input;
	const {
		signal,
		format,
		blockSize: blockBytes,
		comp,
		jobs,
		selinux,
		allRoot,
		fragmentRule,
		exportable,
	} = input.options;
	const copier = new ImageCopier(target, start);
	const writer = format.createWriter({
		sink: {
			write: (position, bytes) => target.write(start + position, bytes),
			readNow: (position, length) => target.readNow(start + position, length),
		},
		compressor,
		blockBytes,
		fragmentRule,
		exportable,
		modificationTimeSeconds: epochSeconds,
		maxPendingBlocks: pendingBlocks(blockBytes, jobs),
		earlier: blocks,
		copier,
		hasher: nativeContentHasher(),
		furtherImages: images.length - 1 + (store?.place === "medium" ? 1 : 0),
	});
	const { data } = writer;
	const supply =
		cache === undefined || source === undefined || blocks === undefined
			? undefined
			: async (needs: readonly BlockNeed[]): Promise<boolean> => {
					const { names, isComplete } = await source.fetch(needs, cache.directory, settings, diffIds, signal);
					await inTurns(blocks.adding(names), signal);
					return isComplete;
				};
	const collector = new LayerCollector({
		images,
		recorded: store && recordedLayers(store.payloads, images[0].treeLimits),
		data,
		cache,
		blocks,
		cut: { blockBytes, fragmentRule },
		supply,
		isWantedAside: input.isWantedAside,
		signal,
		onBytes: (bytes) => progress.bytes(Math.min(bytes, totalBytes), totalBytes),
	});
	const { layers, collected } = collector;
	const totalBytes = layers.reduce((sum, { compressedBytes }) => sum + compressedBytes, 0);
	const diffIds = new Set(layers.map(({ diffId }) => diffId));
	let isFinished = false;
	const keep = async (): Promise<void> => {
		if (cache === undefined) return;
		await keepBlocks(cache, {
			layers,
			collected,
			data,
			settings,
			read: (at, length, into) => target.readNow(start + at, length, into),
			signal,
		});
	};

	progress.phase("layers");
	try {
		const trees = await collector.collect(
			images.map((image) => ({
				layers: image.layers,
				isExcluded,
				run: (read: ReadLayer) =>
					settleImage(
						{
							image: store === undefined ? image : { ...image, treeLimits: halved(image.treeLimits) },
							createdParentTime: { seconds: epochSeconds, nanoseconds: 0 },
							isExcluded,
							dropXattrs,
							allRoot,
							signal,
							onMerged: () => copier.flush(),
						},
						read,
					),
			})),
		);
		for (const [i, { kept }] of trees.entries()) await collector.collectMissing(kept, i);
		const roots = trees.map(
			({ kept }) =>
				() =>
					kept,
		);
		if (store !== undefined) {
			const stored = await storeOf(store.payloads, collector, epochSeconds, signal);
			const first = elementAt(roots, 0);
			if (store.place === "medium") roots.push(() => stored);
			// once what it copies has labels
			else roots[0] = () => withStore(first(), stored);
		}

		await data.finish();
		// the tables need no threads, and the memory is needed elsewhere
		await compressor.close();
		const tables = new Tables(async () => {
			const summaries: RootSummary[] = [];
			for (const [i, rootOf] of roots.entries()) {
				const storedFileOf = (file: FileInode): StoredFile => {
					// container storage's files have numbers of no image
					const stored = collector.stored(file, i < images.length ? i : 0);
					assert(stored !== undefined, `no content for entry ${file.entry}`);
					return stored;
				};
				summaries.push(await inTurns(writer.finishing(rootOf(), storedFileOf), signal));
			}
			return summaries;
		});
		const readsPolicy = trees.some(({ whole }) => mayLabel(selinux, { lookup: createLookup(whole) }));
		// otherwise they are written beside what else takes time
		if (copier.isBusy && !readsPolicy) await tables.prepare();
		await copier.finish(signal);
		copier.close();
		const used = new Map<CollectedLayer, { reusedBytes: number; recompressedBytes: number }>();
		for (const each of collected) used.set(each, await inTurns(usedBytes(data, each.stretches), signal));
		const reader = data.reader(region(target, start, data.end), createDecompressor(comp, format));
		const dropsLabels = isDropped(input.options.dropXattr, LABEL_XATTR);
		const stages: ImageStage[] = [];
		for (const [i, { whole, kept, ...outcome }] of trees.entries()) {
			const tree = createImageTree(whole, async (file) => {
				const stored = collector.stored(file, i);
				return stored === undefined ? collector.aside(file, i) : reader.read(data.layoutOf(stored));
			});
			const fetchAside = (files: Iterable<FileInode>): Promise<void> => collector.fetchAside(files, i);
			const labelled = await labelImage({ choice: selinux, tree, kept, dropsLabels, fetch: fetchAside, signal });
			stages.push({
				...outcome,
				tree,
				fetchAside,
				labels: labelled.labels,
				notes: [...outcome.notes, ...labelled.notes],
				get layers() {
					return collector.collectedOf(i).flatMap((each) => {
						const bytes = used.get(each);
						return bytes === undefined ? [] : [{ ...each.counts, ...bytes }];
					});
				},
				diskUsage() {
					const stored = (file: FileInode) => collector.stored(file, i);
					return inTurns(measuringUsage(kept, { stored, layoutOf: (file) => data.layoutOf(file) }), signal);
				},
			});
		}
		const [first, ...further] = stages;
		assert(first !== undefined, "there is a stage for each image");
		return Object.assign(first, {
			further,
			writeTables: () => tables.write(),
			compressor,
			async finishCache() {
				if (isFinished) return;
				isFinished = true;
				try {
					await keep();
					await cache?.finish(blocks?.usedPacks ?? []);
				} finally {
					blocks?.close();
				}
			},
		});
	} catch (error) {
		copier.close();
		// what was compressed so far is not compressed again
		if (isDamage(error)) await keep();
		throw error;
	}
}

/** The tables of the root file systems, which may be written before they are asked for. */
class Tables {
	readonly #finish: () => Promise<RootSummary[]>;
	#outcome: Promise<RootSummary[]> | undefined;

	constructor(finish: () => Promise<RootSummary[]>) {
		this.#finish = finish;
	}

	/** Writes them; a failure is kept for `write`. */
	async prepare(): Promise<void> {
		await this.write().catch(() => {});
	}

	write(): Promise<RootSummary[]> {
		this.#outcome ??= this.#finish();
		return this.#outcome;
	}
}

/** Enough that no thread waits while this one reads on; each block is held twice, as it is and compressed. */
function pendingBlocks(blockBytes: number, jobs: number): number {
	return Math.max(Math.ceil(PENDING_BYTES / blockBytes), PENDING_BLOCKS_PER_JOB * jobs);
}
