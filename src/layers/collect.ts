import { hash } from "node:crypto";
import { BlockDigests } from "../binary/block-digests.ts";
import { type ByteString, displayName } from "../binary/byte-string.ts";
import { elementAt } from "../binary/element-at.ts";
import { inTurns, type Steps, Turns } from "../binary/turns.ts";
import type { BlockStore } from "../cache/block-store.ts";
import type { BuildCache, KnownLayer } from "../cache/build-cache.ts";
import { BrokenIndex, damaged } from "../cache/failures.ts";
import { sameEntry } from "../cache/layer-index-format.ts";
import { LayerIndexWriter } from "../cache/layer-index-writer.ts";
import type { BlockNeed } from "../cache/remote/cache-source.ts";
import type { DataWriter, DescribeFile } from "../content/data-writer.ts";
import type { Cut } from "../content/file-recipe.ts";
import type { StoredFile } from "../content/stored-data.ts";
import { assert } from "../errors.ts";
import type { TarEntry } from "../formats/tar/entry.ts";
import type { Layer } from "../oci/layer.ts";
import type { BodyId, DirectoryInode, FileInode } from "../tree/inode.ts";
import type { MetadataBudget } from "../tree/metadata-budget.ts";
import { cleanPath } from "../tree/path.ts";
import { AsideBudget } from "./aside-budget.ts";
import { BodyTable } from "./body-table.ts";
import type { CollectedLayer, Route } from "./collected-layer.ts";
import type { IsExcluded } from "./filter.ts";
import { missingBodies, type ReadLayer, readAgain } from "./image-pass.ts";
import type { LayerRecording, RecordedLayer } from "./layer-recording.ts";
import { type LayerPass, type LayerRequest, passTogether } from "./pass-together.ts";
import { type ContentSink, keptContent, readLayer } from "./read-layer.ts";
import { RecordedLayers } from "./recorded-layers.ts";
import { addLackingBlocks, replayLayer } from "./replay-layer.ts";
import { SharedLayers } from "./shared-layers.ts";

/** A pass that leaves paths out. */
interface CollectingPass<Result> extends LayerPass<Result> {
	readonly isExcluded: IsExcluded;
}

interface CollectOptions {
	/** Of each image, bottom layer first. */
	readonly images: readonly { readonly layers: readonly Layer[] }[];
	/** Layers that container storage on the medium has, and what bounds their trees. */
	readonly recorded?: { readonly layers: readonly Layer[]; readonly budget: MetadataBudget } | undefined;
	readonly data: DataWriter;
	/** What is known of layers and compressed blocks from earlier builds; a build without a store has neither. */
	readonly cache: BuildCache | undefined;
	readonly blocks: BlockStore | undefined;
	/** As `data` does. */
	readonly cut: Cut;
	/** Gets blocks from other machines into `blocks`; false where it cannot get all of them. */
	readonly supply?: ((needs: readonly BlockNeed[]) => Promise<boolean>) | undefined;
	/** Of what no image keeps, the files (no leading slash) that will be read all the same. */
	readonly isWantedAside?: ((path: ByteString) => boolean) | undefined;
	readonly signal?: AbortSignal | undefined;
	/** Told of the bytes of blobs done so far, of all layers. */
	readonly onBytes: (blobBytes: number) => void;
}

interface LayerJob {
	readonly number: number;
	readonly layer: Layer;
	readonly target: CollectedLayer;
	readonly route: (entry: TarEntry) => Route;
	readonly recording?: LayerRecording | undefined;
}

/**
 * Stores contents of images while their layers pass, those of layers that several have once. A layer whose entries and contents are all known from earlier builds is not read.
 */
export class LayerCollector {
	readonly #shared: SharedLayers;
	/** One for each of `layers`. */
	readonly collected: readonly CollectedLayer[];
	readonly #recorded: RecordedLayers | undefined;
	#addedFiles = 0;
	/** Of `layers`, those that were passed. */
	readonly #passed = new Set<number>();
	/** The writer's handles. */
	readonly #stored = new BodyTable<StoredFile>();
	/** What the ISO needs and the root file system leaves out. */
	readonly #aside = new BodyTable<Uint8Array>();
	readonly #asideBudget: AsideBudget;
	readonly #options: CollectOptions;
	#doneBytes = 0;

	constructor(options: CollectOptions) {
		this.#options = options;
		this.#asideBudget = new AsideBudget(options.isWantedAside);
		const { images, recorded, signal } = options;
		this.#shared = new SharedLayers(images, recorded?.layers ?? []);
		if (recorded !== undefined) {
			const wanted = new Set(recorded.layers.map((layer) => this.#shared.numberOfArchive(layer)));
			const { budget } = recorded;
			this.#recorded = new RecordedLayers({ wanted, budget, keep: (body, chunks) => this.#keep(body, chunks), signal });
		}
		this.collected = this.layers.map(() => {
			const counts = { tarBytes: 0, entries: 0, storedBytes: 0, skippedBytes: 0, timesRead: 0 };
			return { counts, stretches: [], contents: [] };
		});
	}

	/** As `SharedLayers` has them. */
	get layers(): readonly Layer[] {
		return this.#shared.list;
	}

	/** Runs a pass for each image, with the contents that the layers' own paths say are kept. */
	collect<Result>(passes: readonly CollectingPass<Result>[]): Promise<Result[]> {
		return passTogether(passes, (requests) => {
			const { pass, number, layer } = elementAt(requests, 0);
			return this.#pass(passes, elementAt(this.#shared.numbersOf(pass), number), layer, requests);
		});
	}

	/** What container storage keeps of a layer; reads it where `collect` did not. Throws as layers and `LayerDiff` do. */
	async recorded(of: Pick<Layer, "diffId">): Promise<RecordedLayer> {
		const number = this.#shared.numberOfArchive(of);
		if (this.#recorded?.get(number) === undefined) await this.#pass([], number, elementAt(this.layers, number), []);
		const found = this.#recorded?.get(number);
		assert(found !== undefined, `layer ${number} is recorded`);
		return found;
	}

	/** Stores a content that is of no layer. Its name is of no image. */
	async addFile(bytes: Uint8Array): Promise<BodyId & Pick<FileInode, "byteLength">> {
		const body = { layer: this.layers.length, entry: this.#addedFiles++ };
		return { ...body, byteLength: await this.#keep(body, [bytes]) };
	}

	async #keep(body: BodyId, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<number> {
		const { data } = this.#options;
		data.beginFile();
		for await (const chunk of chunks) {
			data.append(chunk);
			await data.settle();
		}
		const file = data.endFile();
		this.#stored.set(body, file);
		return file.byteLength;
	}

	/** Appends contents below the root of an image that were passed over. */
	async collectMissing(root: DirectoryInode, image = 0): Promise<void> {
		const { signal } = this.#options;
		const missing = await inTurns(
			missingBodies(root, (body) => this.#stored.get(this.#shared.bodyOf(body, image)) !== undefined),
			signal,
		);
		await readAgain(
			this.layers,
			missing.map((body) => this.#shared.bodyOf(body, image)),
			this.#again(() => "store"),
		);
	}

	/** What each layer of an image brought. */
	collectedOf(image: number): CollectedLayer[] {
		return this.#shared.numbersOf(image).map((number) => elementAt(this.collected, number));
	}

	/**
	 * Gets contents that the root file system leaves out and nobody set aside into memory, each layer read once for all of them. Throws `Oci2isoError` CONTENTS_TOO_LARGE
	 * where there is no room for that.
	 */
	async fetchAside(files: Iterable<FileInode>, image = 0): Promise<void> {
		const missing = [...files]
			.map((file) => this.#shared.bodyOf(file, image))
			.filter((body) => !this.#stored.get(body) && !this.#aside.get(body));
		const read = this.#again(({ byteLength, path }, { digest }) => {
			this.#asideBudget.hold(byteLength, `${digest}, ${displayName(path)}`);
			return "aside";
		});
		await readAgain(this.layers, missing, read);
	}

	/** The handle of a content in the root file system. */
	stored(file: FileInode, image = 0): StoredFile | undefined {
		return this.#stored.get(this.#shared.bodyOf(file, image));
	}

	/** A content that is in memory. */
	async aside(file: FileInode, image = 0): Promise<Uint8Array> {
		await this.fetchAside([file], image);
		const bytes = this.#aside.get(this.#shared.bodyOf(file, image));
		assert(bytes?.byteLength === file.byteLength, `no content for entry ${file.entry}`);
		return bytes;
	}

	#again(into: (entry: TarEntry, layer: Layer) => Route): ReadLayer {
		return (number, layer, isNeeded) =>
			this.#read(number, layer, (entry) => (isNeeded(entry) ? into(entry, layer) : "ignore"));
	}

	/** For all that want the layer; where some have passed it before, for what they passed over. */
	async #pass(
		passes: readonly CollectingPass<unknown>[],
		number: number,
		layer: Layer,
		requests: readonly LayerRequest[],
	): Promise<readonly string[]> {
		const { counts } = elementAt(this.collected, number);
		const isFirst = !this.#passed.has(number);
		this.#passed.add(number);
		const recording = this.#recorded?.begin(number, layer);
		const choose = (entry: TarEntry): Route => {
			if (isFirst) counts.entries++;
			const route = this.#routeOf(entry, passes, requests);
			if (recording?.keepsContent === true) return "store";
			const isThere = !isFirst && this.#stored.get({ layer: number, entry: entry.index }) !== undefined;
			return isThere ? "ignore" : route;
		};
		const notes = await this.#read(number, layer, choose, recording);
		if (isFirst) this.#doneBytes += layer.compressedBytes;
		this.#options.onBytes(this.#doneBytes);
		return notes;
	}

	#routeOf(entry: TarEntry, passes: readonly CollectingPass<unknown>[], requests: readonly LayerRequest[]): Route {
		let path: ByteString | undefined;
		let isStored = false;
		for (const { pass, isNeeded } of requests) {
			// Every pass is told of every entry.
			if (!isNeeded(entry)) continue;
			path ??= cleanPath(entry.path);
			isStored ||= !elementAt(passes, pass).isExcluded(path);
		}
		if (path === undefined) return "skip";
		if (isStored) return "store";
		return this.#asideBudget.tryHold(path, entry.byteLength) ? "aside" : "skip";
	}

	async #read(
		number: number,
		layer: Layer,
		route: LayerJob["route"],
		recording?: LayerRecording,
	): Promise<readonly string[]> {
		const job = { number, layer, route, recording, target: elementAt(this.collected, number) };
		// an index does not have the archive
		if (recording !== undefined) return this.#readArchive(job);
		const known = await this.#options.cache?.layerIndex(layer);
		return known === undefined ? this.#readArchive(job) : this.#replayOrRead(job, known);
	}

	/** Routes the entries that the index names; reads the layer only where something that is needed is not at hand. */
	async #replayOrRead(job: LayerJob, known: KnownLayer): Promise<readonly string[]> {
		const { cache, supply, signal } = this.#options;
		const { layer } = job;
		const { index, origin } = known;
		layer.judgeKnown({ archiveBytes: index.tarBytes, compression: index.layer.compression });
		try {
			const routes: Route[] = [];
			let needs: BlockNeed[] | undefined = [];
			const turns = new Turns(signal);
			for (const indexed of index.entries()) {
				if (turns.areDue()) await turns.next();
				const route = job.route(indexed.entry);
				routes.push(route);
				if (needs === undefined) continue;
				const isKnown = addLackingBlocks(needs, indexed, route, this.#options);
				if (!isKnown || (supply === undefined && needs.length > 0)) needs = undefined;
			}
			if (needs?.length === 0 || (needs !== undefined && (await supply?.(needs)) === true))
				return await this.#replay(job, known, routes);
			const indexed = index.entries();
			let entries = 0;
			const route = (entry: TarEntry): Route => {
				entries++;
				const { value } = indexed.next();
				const decided = routes[entry.index];
				if (decided === undefined || value === undefined) throw new BrokenIndex("the layer has more entries");
				if (!sameEntry(value.entry, entry)) throw new BrokenIndex("the layer has other entries");
				return decided;
			};
			// what a shared cache says of contents stays out of what this machine has seen
			const notes = await this.#readArchive({ ...job, route }, origin === undefined ? index : undefined);
			if (entries !== routes.length) throw new BrokenIndex("the layer has fewer entries");
			return notes;
		} catch (error) {
			if (!(error instanceof BrokenIndex)) throw error;
			cache?.dropLayer(layer.digest, origin);
			throw damaged(`the index of layer ${layer.digest} makes no sense: ${error.message}`, layer.digest);
		}
	}

	async #replay(
		{ layer, number, target }: LayerJob,
		{ index, origin }: KnownLayer,
		routes: readonly Route[],
	): Promise<readonly string[]> {
		const { counts } = target;
		const options = { ...this.#options, stored: this.#stored, aside: this.#aside, counts };
		await this.#inStretch(target, async () => {
			const moved = await replayLayer(index, number, routes, options);
			if (moved !== undefined)
				await this.#index(layer, moved.encoding(index.layer, index.tarBytes, index.notes, this.#keyOf), origin);
		});
		counts.tarBytes = index.tarBytes;
		return index.notes;
	}

	/** `previous` knows contents that may be passed over this time. */
	async #readArchive(job: LayerJob, previous?: KnownLayer["index"]): Promise<readonly string[]> {
		const { cache, cut, signal, data } = this.#options;
		const { layer, target } = job;
		const { counts } = target;
		const recorder = cache && new LayerIndexWriter(cut, previous);
		let readBytes = 0;
		counts.timesRead++;
		counts.tarBytes = 0;
		return this.#inStretch(target, async () => {
			const blockDigests = new BlockDigests(cut.blockBytes);
			const notes = await readLayer(layer, this.#sinks(job, recorder, blockDigests), {
				signal,
				blockDigests,
				recorder: job.recording,
				onBlobBytes: (byteLength) => {
					readBytes += byteLength;
					this.#options.onBytes(this.#doneBytes + readBytes);
				},
				onTarBytes: (byteLength) => {
					counts.tarBytes += byteLength;
					return data.settle();
				},
			});
			if (job.recording !== undefined) await this.#recorded?.end(job.number, layer, job.recording, counts.tarBytes);
			data.endLayer();
			const { digest, compressedBytes, diffId, compression = "none" } = layer;
			const identity = { digest, compressedBytes, diffId, compression };
			if (recorder !== undefined)
				await this.#index(layer, recorder.encoding(identity, counts.tarBytes, notes, this.#keyOf));
			return notes;
		});
	}

	/** Sends each content where its route says, and takes down what the layer holds. */
	#sinks(
		{ number, route, target: { counts, contents } }: LayerJob,
		recorder: LayerIndexWriter | undefined,
		digests: BlockDigests,
	): (entry: TarEntry, archiveOffset: number) => ContentSink | undefined {
		const { data } = this.#options;
		let body = { layer: number, entry: 0 };
		const describe: DescribeFile | undefined =
			recorder &&
			((recipe, place) => recorder.stored(recipe, place && { fragment: place.index, offset: place.offset }));
		const intoStore: ContentSink = {
			data: (bytes) => data.append(bytes),
			hole: (byteLength) => data.appendHole(byteLength),
			end: () => this.#stored.set(body, data.endFile(describe)),
		};
		const setAside = (bytes: Buffer): void => {
			this.#aside.set(body, bytes);
			if (recorder === undefined) return;
			const content = { hash: hash("sha256", bytes, "buffer"), bytes };
			recorder.whole(content.hash);
			contents.push(content);
		};
		return (entry, archiveOffset) => {
			const decided = route(entry);
			recorder?.entry(entry);
			if (entry.type !== "file") return undefined;
			body = { layer: number, entry: entry.index };
			if (decided === "store") {
				data.beginFile({ digests, offset: archiveOffset });
				counts.storedBytes += entry.byteLength;
				return intoStore;
			}
			if (decided === "aside") return keptContent(entry.byteLength, setAside);
			if (decided === "skip") counts.skippedBytes += entry.byteLength;
			recorder?.skipped();
			return undefined;
		};
	}

	readonly #keyOf = (fragment: number): Uint8Array => this.#options.data.fragmentKey(fragment);

	async #index({ digest }: Layer, encoding: Steps<Buffer>, origin?: string): Promise<void> {
		const { cache, signal } = this.#options;
		cache?.setLayerIndex(digest, await inTurns(encoding, signal), origin);
	}

	async #inStretch<Result>({ stretches }: CollectedLayer, work: () => Promise<Result>): Promise<Result> {
		const { data } = this.#options;
		const stretch: CollectedLayer["stretches"][number] = { from: data.endLayer(), to: undefined };
		stretches.push(stretch);
		const result = await work();
		stretch.to = data.endLayer();
		return result;
	}
}
