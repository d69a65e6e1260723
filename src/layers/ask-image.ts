import { type ByteString, displayName } from "../binary/byte-string.ts";
import { HeldBytes, MAX_HELD_BYTES } from "../binary/held-bytes.ts";
import { inTurns } from "../binary/turns.ts";
import { assert } from "../errors.ts";
import type { TarEntry } from "../formats/tar/entry.ts";
import type { TreeLimits } from "../oci/image-limits.ts";
import type { Layer } from "../oci/layer.ts";
import type { LayerToc } from "../oci/toc/layer-toc.ts";
import { fileTooLarge } from "../tree/file-too-large.ts";
import { createImageTree, type ImageTree } from "../tree/image-tree.ts";
import type { DirectoryInode, FileInode } from "../tree/inode.ts";
import { TreeMerger } from "../tree/merge.ts";
import { baseName, cleanPath, parentLength } from "../tree/path.ts";
import { LowerLayersNeeded } from "../tree/unknown-below.ts";
import { BodyTable } from "./body-table.ts";
import { mergingLayers, readAgain } from "./image-pass.ts";
import { keptContent, readLayer } from "./read-layer.ts";

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

const OSTREE_OBJECTS = "sysroot/ostree/repo/objects/";
/** Askings before the last layer; each takes time for all entries so far. */
const MAX_ATTEMPTS = 16;

interface AskOptions {
	readonly limits?: TreeLimits | undefined;
	readonly signal?: AbortSignal | undefined;
	/** Whether `ask` will probably read the file at this path (no leading slash): it is kept while its layer passes. */
	readonly isExpected?: ((path: ByteString) => boolean) | undefined;
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
	options: AskOptions = {},
): Promise<Answered<Answer>> {
	return new AskedImage(layers, options).ask(ask);
}

class AskedImage {
	readonly #layers: readonly Layer[];
	readonly #options: AskOptions;
	readonly #tocs = new Map<number, LayerToc>();
	/** Contents that were asked for or will probably be: kept while they pass, so that no layer has to be read twice for them. */
	readonly #kept = new BodyTable<Buffer>();
	/** For them alone. */
	readonly #held = new HeldBytes();
	readonly #notes: string[] = [];
	readonly #cost: ReadCost;
	/** The path that lower layers are read for. */
	#question: ByteString | undefined;
	/** An entry was read that may answer it. */
	#isTouched = true;

	constructor(layers: readonly Layer[], options: AskOptions) {
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
		const { limits, signal, onExpected } = this.#options;
		const merger = new TreeMerger({ layerCount: this.#layers.length, ...limits });
		const answered = async (root: DirectoryInode): Promise<Answered<Answer>> => {
			const tree = createImageTree(root, (file) => this.#content(root, file));
			return { answer: await ask(tree), notes: this.#notes, cost: this.#cost };
		};
		let attempts = 0;
		const read = (number: number, layer: Layer, isNeeded: (entry: TarEntry) => boolean) =>
			this.#readFirst(number, layer, isNeeded);
		for await (const { number, notes } of mergingLayers(this.#layers, merger, read, signal)) {
			this.#notes.push(...notes);
			this.#cost.layersRead++;
			if (number === 0 || !this.#isTouched || attempts++ >= MAX_ATTEMPTS) continue;
			try {
				return await answered(await inTurns(merger.growingUpperTree(), signal));
			} catch (error) {
				if (!(error instanceof LowerLayersNeeded)) throw error;
				this.#question = error.path;
				this.#isTouched = false;
				this.#cost.lastQuestion = `/${displayName(error.path)}`;
			}
			// The top layer does not say everything, so the others will be wanted.
			if (number === this.#layers.length - 1) onExpected?.(this.#layers.slice(0, number).reverse());
		}
		const merged = await inTurns(merger.settling(), signal);
		this.#notes.push(...merged.notes);
		return answered(merged.root);
	}

	/** Reads a layer's table of contents, or all of it. */
	async #readFirst(number: number, layer: Layer, isNeeded: (entry: TarEntry) => boolean): Promise<readonly string[]> {
		const { signal, isExpected } = this.#options;
		const onEntry = (entry: TarEntry): boolean => {
			this.#isTouched ||= this.#question !== undefined && mayAnswer(entry, this.#question);
			return isNeeded(entry);
		};
		const toc = await layer.tableOfContents(signal, this.#onBlobBytes);
		if (toc === undefined) {
			const objects = new PassingObjects((entry) => isExpected?.(cleanPath(entry.path)) === true);
			const drop = (object: TarEntry | undefined): void => {
				if (object === undefined) return;
				this.#held.release(object.byteLength);
				this.#cost.keptBytes -= object.byteLength;
				this.#kept.delete({ layer: number, entry: object.index });
			};
			const notes = await this.#read(number, layer, (entry) => {
				const isWanted = onEntry(entry);
				drop(objects.passed(entry));
				return isWanted && objects.mayBeExpected(entry) && this.#held.tryHold(entry.byteLength) && objects.keep(entry);
			});
			drop(objects.rest());
			return notes;
		}
		this.#cost.layersByToc++;
		this.#tocs.set(number, toc);
		for (const entry of toc.entries) onEntry(entry);
		return [];
	}

	async #content(root: DirectoryInode, file: FileInode): Promise<Uint8Array> {
		const { layer, entry, byteLength } = file;
		const kept = this.#kept.get(file);
		if (kept !== undefined || byteLength === 0) return kept ?? Buffer.alloc(0);
		if (byteLength > MAX_HELD_BYTES) throw fileTooLarge(root, file, MAX_HELD_BYTES);
		if (!this.#held.tryHold(byteLength)) {
			// what was kept before goes, and is read again when it is asked for
			this.#held.release(this.#held.byteLength);
			this.#kept.clear();
			this.#held.hold(byteLength, "");
		}
		const toc = this.#tocs.get(layer);
		if (toc !== undefined) {
			const bytes = await toc.content(entry, this.#options.signal);
			this.#cost.keptBytes += byteLength;
			this.#kept.set(file, bytes);
			return bytes;
		}
		this.#cost.layersReadAgain++;
		await readAgain(this.#layers, [file], (number, layer, isNeeded) => this.#read(number, layer, isNeeded));
		const bytes = this.#kept.get(file);
		assert(bytes !== undefined, `layer ${layer} has an entry ${entry}`);
		return bytes;
	}

	/** Reads a layer whole and keeps what `isKept` says, for which room was made. */
	#read(number: number, layer: Layer, isKept: (entry: TarEntry) => boolean): Promise<readonly string[]> {
		return readLayer(
			layer,
			(entry) => {
				if (!isKept(entry)) return undefined;
				this.#cost.keptBytes += entry.byteLength;
				return keptContent(entry.byteLength, (bytes) => this.#kept.set({ layer: number, entry: entry.index }, bytes));
			},
			{
				signal: this.#options.signal,
				onBlobBytes: this.#onBlobBytes,
				onTarBytes: (byteLength) => {
					this.#cost.tarBytes += byteLength;
				},
			},
		);
	}

	readonly #onBlobBytes = (bytes: number): void => {
		this.#cost.blobBytes += bytes;
		this.#options.onBytes?.(this.#cost.blobBytes);
	};
}

/**
 * Files that are expected. An image of an ostree commit has each file as an object of its repository, with the paths that it has right behind it as hard links: what an
 * object is for is known once it has passed, and it is kept until then.
 */
class PassingObjects {
	readonly #isExpected: (entry: TarEntry) => boolean;
	/** Kept, and not yet known to be expected. */
	#object: TarEntry | undefined;

	constructor(isExpected: (entry: TarEntry) => boolean) {
		this.#isExpected = isExpected;
	}

	/** The object that can be dropped before `entry`, if there is one. */
	passed(entry: TarEntry): TarEntry | undefined {
		const object = this.#object;
		if (object === undefined) return undefined;
		const isPath = entry.type === "hard-link" && cleanPath(entry.linkTarget) === cleanPath(object.path);
		if (isPath && !this.#isExpected(entry)) return undefined;
		this.#object = undefined;
		return isPath ? undefined : object;
	}

	mayBeExpected(entry: TarEntry): boolean {
		return entry.type === "file" && (isOstreeObject(entry) || this.#isExpected(entry));
	}

	keep(entry: TarEntry): true {
		if (!this.#isExpected(entry)) this.#object = entry;
		return true;
	}

	/** At the end of the archive. */
	rest(): TarEntry | undefined {
		return this.#object;
	}
}

function isOstreeObject({ path, byteLength }: TarEntry): boolean {
	return byteLength > 0 && path.endsWith(".file") && cleanPath(path).startsWith(OSTREE_OBJECTS);
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
