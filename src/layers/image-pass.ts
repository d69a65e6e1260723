import { type ByteString, displayName } from "../binary/byte-string.ts";
import { HeldBytes, MAX_HELD_BYTES } from "../binary/held-bytes.ts";
import { inTurns } from "../binary/turns.ts";
import { MiB } from "../binary/units.ts";
import type { TarEntry, TarHandler } from "../formats/tar/entry.ts";
import { TarReader } from "../formats/tar/reader.ts";
import { isExpectedPath } from "../inspect/expected-paths.ts";
import type { TreeLimits } from "../oci/image-limits.ts";
import type { Layer } from "../oci/layer.ts";
import { readArchive } from "../oci/read-archive.ts";
import type { LayerToc } from "../oci/toc/layer-toc.ts";
import { fileTooLarge } from "../tree/file-too-large.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { BodyId, DirectoryInode, FileInode } from "../tree/inode.ts";
import { createLookup } from "../tree/lookup.ts";
import { TreeMerger } from "../tree/merge.ts";
import { baseName, cleanPath, parentLength } from "../tree/path.ts";
import { LowerLayersNeeded } from "../tree/unknown-below.ts";
import { walk } from "../tree/walk.ts";

/** What was asked of an image, and what it cost to know. */
export interface Answered<Answer> {
	readonly answer: Answer;
	/** What the layers' archives leave open and was chosen, in sentences. */
	readonly notes: readonly string[];
	readonly cost: ReadCost;
}

export interface ReadCost {
	/** Bytes of blobs, as stored. */
	blobBytes: number;
	/** Bytes of all layers' blobs. */
	totalBytes: number;
	/** Bytes of archives, uncompressed. */
	tarBytes: number;
	/** Bytes of file contents kept in memory. */
	keptBytes: number;
	/** Layers that were looked at, from the top, of how many. */
	layersRead: number;
	layers: number;
	/** Of these, layers whose table of contents was read in place of the whole. */
	layersByToc: number;
	/** Layers that were read once more for contents that nobody expected to need. */
	layersReadAgain: number;
	/** The path that the last layers were read for: no layer above them says what is there. Absent where one was enough. */
	lastQuestion?: string;
}

const CHUNK_BYTES = MiB;
/** Askings before the last layer; each takes time for all entries so far. */
const MAX_ATTEMPTS = 16;

export interface PassOptions {
	readonly limits?: TreeLimits | undefined;
	readonly signal?: AbortSignal | undefined;
	readonly onBytes?: ((blobBytes: number) => void) | undefined;
	/** Told, top first, of the layers that will probably be read whole. */
	readonly onExpected?: ((layers: readonly Layer[]) => void) | undefined;
}

/**
 * Asks an image's tree. Layers are read from the top down, each at most once, and no further than `ask` needs them: it is called again with a tree that
 * knows more for as long as it comes upon something that lower layers decide. Where a layer has a table of contents, only that and the contents that
 * `ask` reads are fetched. Throws `Oci2isoError` as `Layer.tar`, `TarReader`, `TreeMerger` and `ask` do.
 */
export async function askImage<Answer>(
	layers: readonly Layer[],
	ask: (tree: ImageTree) => Promise<Answer>,
	options: PassOptions = {},
): Promise<Answered<Answer>> {
	return new ImagePass(layers, options).ask(ask);
}

/** The whole tree of an image, as `askImage` reads it. */
export async function readImageTree(layers: readonly Layer[], options: PassOptions = {}): Promise<ImageTree> {
	const { answer } = await askImage(
		layers,
		async (tree) => {
			for (const _ of walk(tree.root));
			return tree;
		},
		options,
	);
	return answer;
}

class ImagePass {
	readonly #layers: readonly Layer[];
	readonly #options: PassOptions;
	readonly #tocs = new Map<number, LayerToc>();
	/** Contents that the checks asked for or will probably ask for: kept while they pass, so that no layer has to be read twice for them. */
	readonly #kept = new Map<string, Buffer>();
	readonly #held = new HeldBytes();
	readonly #notes: string[] = [];
	readonly #cost: ReadCost;
	readonly #onBlobBytes = (bytes: number): void => {
		this.#cost.blobBytes += bytes;
		this.#options.onBytes?.(this.#cost.blobBytes);
	};

	constructor(layers: readonly Layer[], options: PassOptions) {
		this.#layers = layers;
		this.#options = options;
		this.#cost = {
			blobBytes: 0,
			totalBytes: layers.reduce((sum, { compressedBytes }) => sum + compressedBytes, 0),
			tarBytes: 0,
			keptBytes: 0,
			layersRead: 0,
			layers: layers.length,
			layersByToc: 0,
			layersReadAgain: 0,
		};
	}

	async ask<Answer>(ask: (tree: ImageTree) => Promise<Answer>): Promise<Answered<Answer>> {
		const merger = new TreeMerger({ layerCount: this.#layers.length, ...this.#options.limits });
		let question: ByteString | undefined;
		let attempts = 0;
		for (const [index, layer] of [...this.#layers.entries()].reverse()) {
			let isTouched = question === undefined;
			await this.#mergeLayer(merger, index, layer, (entry) => {
				isTouched ||= question !== undefined && mayAnswer(entry, question);
			});
			this.#cost.layersRead++;
			if (index === 0 || !isTouched || attempts++ === MAX_ATTEMPTS) continue;
			try {
				const upper = await inTurns(merger.growingUpperTree(), this.#options.signal);
				return { answer: await ask(this.#tree(upper)), notes: this.#notes, cost: this.#cost };
			} catch (error) {
				if (!(error instanceof LowerLayersNeeded)) throw error;
				question = error.path;
				this.#cost.lastQuestion = `/${displayName(question)}`;
			}
			// The top layer does not say everything, so the others will be wanted.
			if (index === this.#layers.length - 1) this.#options.onExpected?.(this.#layers.slice(0, index).reverse());
		}
		const merged = await inTurns(merger.settling(), this.#options.signal);
		this.#notes.push(...merged.notes);
		return { answer: await ask(this.#tree(merged.root)), notes: this.#notes, cost: this.#cost };
	}

	#tree(root: DirectoryInode): ImageTree {
		return {
			root,
			lookup: createLookup(root),
			read: async (file, maxBytes) => {
				if (file.byteLength > maxBytes) throw fileTooLarge(root, file, maxBytes);
				return (await this.#content(file)) ?? new Uint8Array();
			},
			stream: (file) => this.#stream(root, file),
		};
	}

	/** Tells the merger and `onEntry` of the layer's entries. */
	async #mergeLayer(
		merger: TreeMerger,
		index: number,
		layer: Layer,
		onEntry: (entry: TarEntry) => void,
	): Promise<void> {
		const above = this.#layers.findLastIndex(({ digest }) => digest === layer.digest);
		if (above > index) {
			merger.repeat(index, above);
			return;
		}
		const toc = await layer.tableOfContents(this.#options.signal, this.#onBlobBytes);
		const merge = merger.layer(index, layer.digest);
		if (toc !== undefined) {
			this.#cost.layersByToc++;
			this.#tocs.set(index, toc);
			for (const entry of toc.entries) {
				merge.entry(entry);
				onEntry(entry);
			}
		} else {
			const notes = await this.#readLayer(index, layer, (entry) => {
				const decision = merge.entry(entry);
				onEntry(entry);
				return entry.type === "file" && decision === "store" && this.#isExpected(entry);
			});
			this.#notes.push(...notes);
		}
		await inTurns(merge.finishing(), this.#options.signal);
	}

	#isExpected(entry: TarEntry): boolean {
		return isExpectedPath(cleanPath(entry.path)) && this.#held.tryHold(entry.byteLength);
	}

	/** Room for a content that is asked for: what was kept before may have to go, and is read again when it is asked for. */
	#makeRoom(byteLength: number, layer: Layer): void {
		if (this.#held.tryHold(byteLength)) return;
		for (const bytes of this.#kept.values()) this.#held.release(bytes.byteLength);
		this.#kept.clear();
		this.#held.hold(byteLength, layer.digest);
	}

	async *#stream(root: DirectoryInode, file: FileInode): AsyncGenerator<Uint8Array> {
		if (file.byteLength > MAX_HELD_BYTES) throw fileTooLarge(root, file, MAX_HELD_BYTES);
		const bytes = (await this.#content(file)) ?? new Uint8Array();
		for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
	}

	async #content(file: FileInode): Promise<Buffer | undefined> {
		if (file.byteLength === 0) return Buffer.alloc(0);
		const { body } = file;
		const key = keyOf(body);
		const layer = this.#layers[body.layer];
		const toc = this.#tocs.get(body.layer);
		if (this.#kept.has(key) || layer === undefined) return this.#kept.get(key);
		if (toc !== undefined) {
			this.#makeRoom(file.byteLength, layer);
			const bytes = await toc.content(body.entry, this.#options.signal);
			this.#cost.keptBytes += bytes.byteLength;
			this.#kept.set(key, bytes);
			return bytes;
		}
		this.#makeRoom(file.byteLength, layer);
		this.#cost.layersReadAgain++;
		await this.#readLayer(body.layer, layer, (entry) => entry.index === body.entry);
		return this.#kept.get(key);
	}

	async #readLayer(index: number, layer: Layer, isKept: (entry: TarEntry) => boolean): Promise<readonly string[]> {
		const reader = new TarReader(this.#keeper(index, isKept), { origin: layer.digest });
		await readArchive(layer, reader, this.#options.signal, this.#onBlobBytes, (bytes) => {
			this.#cost.tarBytes += bytes;
		});
		return reader.notes;
	}

	#keeper(layer: number, isKept: (entry: TarEntry) => boolean): TarHandler {
		let key = "";
		let body: Buffer | undefined;
		let length = 0;
		return {
			entry: (entry) => {
				if (!isKept(entry)) return;
				key = keyOf({ layer, entry: entry.index });
				body = Buffer.alloc(entry.byteLength);
				length = 0;
				this.#cost.keptBytes += entry.byteLength;
			},
			data: (bytes) => {
				body?.set(bytes, length);
				length += bytes.byteLength;
			},
			hole: (byteLength) => {
				length += byteLength;
			},
			endEntry: () => {
				if (body !== undefined) this.#kept.set(key, body);
				body = undefined;
			},
		};
	}
}

/**
 * Whether an entry can be why `question` has an answer, as text; that symbolic links lead one there is only noticed later. Directories that lower layers may
 * have too say nothing of what is in them.
 */
function mayAnswer({ path, type }: Pick<TarEntry, "path" | "type">, question: ByteString): boolean {
	const clean = cleanPath(path);
	const parent = clean.slice(0, parentLength(clean));
	const name = baseName(clean);
	const isBelow = (ancestor: ByteString): boolean => ancestor === "" || question.startsWith(`${ancestor}/`);
	if (name === ".wh..wh..opq") return isBelow(parent);
	if (!name.startsWith(".wh.")) return clean === question || (type !== "directory" && isBelow(clean));
	const removed = parent === "" ? name.slice(4) : `${parent}/${name.slice(4)}`;
	return removed === question || isBelow(removed);
}

function keyOf({ layer, entry }: BodyId): ByteString {
	return `${layer}:${entry}`;
}
