import { inTurns, type Steps } from "../binary/turns.ts";
import type { BlockDecompressor } from "../codec/types.ts";
import type { Cut } from "../content/file-recipe.ts";
import { throwIfAborted } from "../errors.ts";
import { BlockStore } from "./block-store.ts";
import type { LayerIndex } from "./layer-index-format.ts";
import { openingLayerIndex } from "./layer-index-reader.ts";
import {
	agrees,
	type ClaimedLayer,
	fileNameOf,
	layerIndexName,
	readingLayerIndex,
	writingLayerIndex,
} from "./layer-index-store.ts";
import { MAX_CONTENT_BYTES, storedBytes } from "./pack-format.ts";
import { type PackedBlock, type ReadImage, writingPack } from "./pack-writer.ts";
import { pruneStore } from "./prune.ts";
import { type BlockSettings, settingsId, settingsText } from "./settings.ts";
import { reasonOf, StoreDirectory } from "./store-directory.ts";

interface BuildCacheOptions extends Cut {
	readonly path: string;
	/** What the store may hold after the build. */
	readonly maxBytes: number;
	/** Shared caches that the build reads from (`originOf`), the first that has something first; what came from others is not used. */
	readonly origins: readonly string[];
	/** Told, in a sentence, why something is not used or not kept. */
	readonly onNotice: (text: string) => void;
	/** What takes long rejects with INTERRUPTED where it is aborted. */
	readonly signal?: AbortSignal | undefined;
}

/** An index, and the shared cache that it came from, if it was not made here. */
export interface KnownLayer {
	readonly index: LayerIndex;
	readonly origin: string | undefined;
}

interface MadeIndex {
	readonly bytes: Buffer;
	readonly origin: string | undefined;
}

/** A store as one build uses it. No failure of the store is one of the build: what cannot be read is made again, what cannot be written is not kept. */
export class BuildCache {
	readonly #directory: StoreDirectory;
	readonly #options: BuildCacheOptions;
	/** Indexes that this build made, by the digest of the layer's blob. */
	readonly #made = new Map<string, MadeIndex>();
	readonly #kept = new Set<string>();
	/** Blobs that have to be read, whatever is known of them. */
	readonly #toBeRead = new Set<string>();
	/** Names of the index files that were used. */
	readonly #usedIndexes = new Set<string>();
	readonly #usedPacks = new Set<string>();
	#finishedPacks: readonly string[] = [];
	#hasFailed = false;

	private constructor(directory: StoreDirectory, options: BuildCacheOptions) {
		this.#directory = directory;
		this.#options = options;
	}

	/** Undefined, after a notice, where the store cannot be used. */
	static open(options: BuildCacheOptions): BuildCache | undefined {
		const directory = StoreDirectory.open(options.path, { create: true });
		if (directory instanceof StoreDirectory) return new BuildCache(directory, options);
		options.onNotice(`${directory}; building without it`);
		return undefined;
	}

	/** Whether a layer is indexed: then it will probably not be read. */
	hasLayer(digest: string): boolean {
		if (this.#toBeRead.has(digest)) return false;
		return [undefined, ...this.origins].some((origin) => this.#directory.has("layer", this.#nameOf(digest, origin)));
	}

	/** A blob that the image's source does not have: reading it fails as it does without a cache. */
	requireReading(digest: string): void {
		this.#toBeRead.add(digest);
	}

	/** Where the files are. */
	get directory(): StoreDirectory {
		return this.#directory;
	}

	/** Names of the packs that the build wrote or read from; known after `finish`. */
	get finishedPacks(): readonly string[] {
		return this.#finishedPacks;
	}

	/** Which shared caches' files the build may use, beside its own. */
	get origins(): readonly string[] {
		return this.#options.origins;
	}

	/** Adds the index of a layer that another machine has read. */
	async addLayer(digest: string, index: Buffer, origin: string): Promise<void> {
		await this.#guarded(writingLayerIndex(this.#directory, digest, this.#options, index, origin));
	}

	/**
	 * What is known of a layer, from this build or an earlier one; undefined where it was read and is not what the image says. What this machine has
	 * read itself goes before what others say.
	 */
	async layerIndex(layer: ClaimedLayer): Promise<KnownLayer | undefined> {
		const { digest } = layer;
		if (this.#toBeRead.has(digest)) return undefined;
		const made = this.#made.get(digest);
		if (made !== undefined) {
			const index = await inTurns(openingLayerIndex(made.bytes), this.#options.signal);
			return index !== undefined && agrees(index, layer) ? { index, origin: made.origin } : undefined;
		}
		for (const origin of [undefined, ...this.origins]) {
			const index = await this.#guarded(readingLayerIndex(this.#directory, digest, this.#options, origin));
			if (index === undefined) continue;
			if (!agrees(index, layer)) return undefined;
			this.#usedIndexes.add(this.#nameOf(digest, origin));
			return { index, origin };
		}
		return undefined;
	}

	/** Keeps the index of a layer that was read to its end, or whose contents moved; it is written by `keep`. */
	setLayerIndex(digest: string, bytes: Buffer, origin?: string): void {
		this.#made.set(digest, { bytes, origin });
		this.#kept.delete(digest);
	}

	/** Forgets an index that makes no sense. */
	dropLayer(digest: string, origin: string | undefined): void {
		this.#made.delete(digest);
		try {
			this.#directory.remove("layer", this.#nameOf(digest, origin));
		} catch (error) {
			this.#failed(error);
		}
	}

	/** The blocks that earlier builds compressed with these settings. */
	openBlocks(settings: BlockSettings, decompressor: BlockDecompressor): Promise<BlockStore> {
		const opening = BlockStore.opening(this.#directory, settings, decompressor, this.origins);
		return inTurns(opening, this.#options.signal);
	}

	/** Writes what a layer's reading has stored; `read` gives bytes of the image. Rejects with INTERRUPTED alone. */
	async keepBlocks(
		diffId: string,
		settings: BlockSettings,
		blocks: readonly PackedBlock[],
		read: ReadImage,
	): Promise<void> {
		const fitting = blocks.filter(({ kind, rawBytes }) => kind !== "content" || rawBytes <= MAX_CONTENT_BYTES);
		const byteLength = fitting.reduce((sum, block) => sum + storedBytes(block), 0);
		if (fitting.length === 0 || byteLength > this.#options.maxBytes) return;
		const prefix = `${fileNameOf(diffId)}.${settingsId(settings)}`;
		const description = { diffId, settings: settingsText(settings) };
		const name = await this.#guarded(writingPack(this.#directory, prefix, description, fitting, read));
		if (name !== undefined) this.#usedPacks.add(name);
	}

	/** Writes the indexes that are not written yet, after their blocks. Rejects with INTERRUPTED alone. */
	async keepLayers(): Promise<void> {
		for (const [digest, { bytes, origin }] of this.#made) {
			if (this.#kept.has(digest)) continue;
			this.#kept.add(digest);
			this.#usedIndexes.add(this.#nameOf(digest, origin));
			await this.#guarded(writingLayerIndex(this.#directory, digest, this.#options, bytes, origin));
		}
	}

	/** Ends the build's use of the store: notes what was used, and makes room. Rejects with INTERRUPTED alone. */
	async finish(usedPacks: Iterable<string>): Promise<void> {
		this.#finishedPacks = [...new Set([...usedPacks, ...this.#usedPacks])];
		const now = new Date();
		for (const name of this.#finishedPacks) this.#directory.touch("pack", name, now);
		for (const name of this.#usedIndexes) this.#directory.touch("layer", name, now);
		await this.#guarded(pruneStore(this.#directory, this.#options.maxBytes, now.getTime()));
	}

	#nameOf(digest: string, origin: string | undefined): string {
		return layerIndexName(digest, this.#options, origin);
	}

	/** One notice is enough for a store that is full or read-only. Rejects with INTERRUPTED alone. */
	async #guarded<Value>(operation: Steps<Value>): Promise<Value | undefined> {
		const { signal } = this.#options;
		try {
			return await inTurns(operation, signal);
		} catch (error) {
			throwIfAborted(signal);
			this.#failed(error);
			return undefined;
		}
	}

	#failed(error: unknown): void {
		if (!this.#hasFailed) this.#options.onNotice(`the cache ${this.#directory.path} failed: ${reasonOf(error)}`);
		this.#hasFailed = true;
	}
}
