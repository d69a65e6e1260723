import type { BlockDecompressor } from "../codec/types.ts";
import { BlockStore } from "./block-store.ts";
import { type LayerIndex, openLayerIndex } from "./layer-index-format.ts";
import { fileNameOf, layerIndexName, readLayerIndex, writeLayerIndex } from "./layer-index-store.ts";
import { MAX_CONTENT_BYTES, storedBytes } from "./pack-format.ts";
import { type PackedBlock, type ReadImage, writePack } from "./pack-writer.ts";
import { pruneStore } from "./prune.ts";
import { type BlockSettings, settingsId, settingsText } from "./settings.ts";
import { reasonOf, StoreDirectory } from "./store-directory.ts";

export interface BuildCacheOptions {
	readonly path: string;
	/** What the store may hold after the build. */
	readonly maxBytes: number;
	readonly blockBytes: number;
	/** Told, in a sentence, why something is not used or not kept. */
	readonly onNotice: (text: string) => void;
}

/** A store as one build uses it. No failure of the store is one of the build: what cannot be read is made again, what cannot be written is not kept. */
export class BuildCache {
	readonly #directory: StoreDirectory;
	readonly #options: BuildCacheOptions;
	/** Indexes that this build made, by diffID. */
	readonly #made = new Map<string, Buffer>();
	readonly #kept = new Set<string>();
	readonly #usedLayers = new Set<string>();
	readonly #usedPacks = new Set<string>();
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
	hasLayer(diffId: string): boolean {
		return this.#directory.has("layer", layerIndexName(diffId, this.#options.blockBytes));
	}

	/** What is known of a layer, from this build or an earlier one. */
	layerIndex(diffId: string): LayerIndex | undefined {
		const made = this.#made.get(diffId);
		if (made !== undefined) return openLayerIndex(made);
		const index = this.#guarded(() => readLayerIndex(this.#directory, diffId, this.#options.blockBytes));
		if (index !== undefined) this.#usedLayers.add(diffId);
		return index;
	}

	/** Keeps the index of a layer that was read to its end, or whose contents moved; it is written by `keep`. */
	setLayerIndex(diffId: string, index: Buffer): void {
		this.#made.set(diffId, index);
		this.#kept.delete(diffId);
	}

	/** Forgets an index that makes no sense. */
	dropLayer(diffId: string): void {
		this.#made.delete(diffId);
		this.#guarded(() => this.#directory.remove("layer", layerIndexName(diffId, this.#options.blockBytes)));
	}

	/** The blocks that earlier builds compressed with these settings. */
	openBlocks(settings: BlockSettings, decompressor: BlockDecompressor): BlockStore {
		return new BlockStore(this.#directory, settings, decompressor);
	}

	/** Writes what a layer's reading has stored; `read` gives bytes of the image. */
	keepBlocks(diffId: string, settings: BlockSettings, blocks: readonly PackedBlock[], read: ReadImage): void {
		const fitting = blocks.filter(({ kind, rawBytes }) => kind !== "content" || rawBytes <= MAX_CONTENT_BYTES);
		const byteLength = fitting.reduce((sum, block) => sum + storedBytes(block), 0);
		if (fitting.length === 0 || byteLength > this.#options.maxBytes) return;
		const prefix = `${fileNameOf(diffId)}.${settingsId(settings)}`;
		const description = { diffId, settings: settingsText(settings) };
		const name = this.#guarded(() => writePack(this.#directory, prefix, description, fitting, read));
		if (name !== undefined) this.#usedPacks.add(name);
	}

	/** Writes the indexes that are not written yet, after their blocks. */
	keepLayers(): void {
		for (const [diffId, bytes] of this.#made) {
			if (this.#kept.has(diffId)) continue;
			this.#kept.add(diffId);
			this.#guarded(() => writeLayerIndex(this.#directory, diffId, this.#options.blockBytes, bytes));
		}
	}

	/** Ends the build's use of the store: notes what was used, and makes room. */
	finish(usedPacks: Iterable<string>): void {
		const now = new Date();
		this.#guarded(() => {
			for (const name of [...usedPacks, ...this.#usedPacks]) this.#directory.touch("pack", name, now);
			for (const diffId of [...this.#usedLayers, ...this.#made.keys()])
				this.#directory.touch("layer", layerIndexName(diffId, this.#options.blockBytes), now);
			pruneStore(this.#directory, this.#options.maxBytes, now.getTime());
		});
	}

	/** One notice is enough for a store that is full or read-only. */
	#guarded<Value>(operation: () => Value): Value | undefined {
		try {
			return operation();
		} catch (error) {
			if (!this.#hasFailed) this.#options.onNotice(`the cache ${this.#directory.path} failed: ${reasonOf(error)}`);
			this.#hasFailed = true;
			return undefined;
		}
	}
}
