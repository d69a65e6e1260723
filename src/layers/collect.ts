import { type ByteString, displayName } from "../binary/byte-string.ts";
import type { HeldBytes } from "../binary/held-bytes.ts";
import { inTurns, Turns } from "../binary/turns.ts";
import { MiB } from "../binary/units.ts";
import type { BlockStore } from "../cache/block-store.ts";
import type { BuildCache, KnownLayer } from "../cache/build-cache.ts";
import { BrokenIndex, damaged } from "../cache/failures.ts";
import { sameEntry } from "../cache/layer-index-format.ts";
import { LayerIndexWriter } from "../cache/layer-index-writer.ts";
import type { BlockNeed } from "../cache/remote/cache-source.ts";
import type { DataWriter } from "../content/data-writer.ts";
import type { DataMark, StoredFile } from "../content/stored-data.ts";
import type { TarEntry } from "../formats/tar/entry.ts";
import type { Layer } from "../oci/layer.ts";
import type { BodyId } from "../tree/inode.ts";
import type { TreeMerger } from "../tree/merge.ts";
import { cleanPath } from "../tree/path.ts";
import type { BodyStore } from "./body-store.ts";
import { isAtHand, missingBlocks } from "./missing-blocks.ts";
import { type AsideContent, type LayerCounts, type Route, readLayer } from "./read-layer.ts";
import { replayLayer } from "./replay-layer.ts";

/** Of contents that are kept in memory before it is known that they are needed. */
const MAX_ASIDE_BYTES = 64 * MiB;

/** What one layer brought. */
export interface CollectedLayer {
	readonly counts: LayerCounts;
	/** Stretches of the image that hold its contents; one without an end is being written. */
	readonly stretches: { readonly from: DataMark; to: DataMark | undefined }[];
	/** What was set aside and is in no store. */
	readonly contents: AsideContent[];
	/** The archive's notes were passed on. */
	isNoted: boolean;
}

export interface CollectOptions {
	/** Bottom layer first. */
	readonly layers: readonly Layer[];
	/** One for each layer. */
	readonly collected: readonly CollectedLayer[];
	readonly data: DataWriter;
	readonly bodies: BodyStore<StoredFile>;
	/** Room for contents that are set aside. */
	readonly held: HeldBytes;
	/** What is known of layers and compressed blocks from earlier builds; a build without a store has neither. */
	readonly cache: BuildCache | undefined;
	readonly blocks: BlockStore | undefined;
	readonly blockBytes: number;
	/** Gets blocks from other machines into `blocks`; false where it cannot get all of them. */
	readonly supply?: ((needs: readonly BlockNeed[]) => Promise<boolean>) | undefined;
	readonly signal?: AbortSignal | undefined;
	/** Called after each chunk with the bytes of blobs done so far, of all layers. */
	readonly onBytes: (blobBytes: number) => void;
	/** Called for what an archive says and the tree cannot hold. */
	readonly onNote: (text: string) => void;
}

export interface CollectLayersOptions extends CollectOptions {
	readonly merger: TreeMerger;
	/** Whether the root file system leaves this path out; no leading slash. */
	readonly isExcluded: (path: ByteString) => boolean;
}

export function newCollectedLayer(): CollectedLayer {
	const counts = { tarBytes: 0, entries: 0, storedBytes: 0, skippedBytes: 0, timesRead: 0 };
	return { counts, stretches: [], contents: [], isNoted: false };
}

/**
 * Goes through the layers once, the top one first, as far down as they can matter: tells the merger of every entry and stores the contents that may be
 * needed. A layer whose entries and contents are all known from earlier builds is not read.
 */
export async function collectLayers(options: CollectLayersOptions): Promise<void> {
	const { layers, collected, merger, cache, held } = options;
	let asideBytesLeft = MAX_ASIDE_BYTES;
	let doneBytes = 0;
	for (const [number, layer] of [...layers.entries()].reverse()) {
		const target = collected[number];
		if (target === undefined) continue;
		const above = layers.findLastIndex((other) => isSame(other, layer));
		if (above > number) {
			merger.repeat(number, above);
			continue;
		}
		const merge = merger.layer(number, layer.digest);
		const route = (entry: TarEntry): Route => {
			target.counts.entries++;
			const decision = merge.entry(entry);
			if (entry.type !== "file" || decision === "skip") return "skip";
			const path = cleanPath(entry.path);
			if (!options.isExcluded(path)) return "store";
			if (!isAsidePath(path) || entry.byteLength > asideBytesLeft || !held.tryHold(entry.byteLength)) return "skip";
			asideBytesLeft -= entry.byteLength;
			return "aside";
		};
		const known = await cache?.layerIndex(layer);
		const before = doneBytes;
		const job = { ...options, number, layer, target, known };
		if (known === undefined)
			await readAndIndex(job, route, (bytes) => {
				doneBytes += bytes;
				options.onBytes(doneBytes);
			});
		else await replayOrRead(job, route, (bytes) => options.onBytes(before + bytes));
		doneBytes = before + layer.compressedBytes;
		options.onBytes(doneBytes);
		await inTurns(merge.finishing(), options.signal);
		if (merger.decidesAllBelow) {
			merger.skipRest();
			break;
		}
	}
}

/**
 * Fetches contents that were passed over although the tree needs them (a symbolic link led an entry elsewhere than its path says).
 * Appends them to the root file system, or keeps them in memory when `into` is "aside": throws `Oci2isoError` CONTENTS_TOO_LARGE where there is no room for that.
 */
export async function collectMissing(
	options: CollectOptions,
	missing: Iterable<BodyId>,
	into: "store" | "aside",
): Promise<void> {
	const wanted = new Map<number, Set<number>>();
	for (const { layer, entry } of missing) {
		const entries = wanted.get(layer) ?? new Set();
		wanted.set(layer, entries.add(entry));
	}
	for (const [number, entries] of [...wanted].sort(([a], [b]) => b - a)) {
		const layer = options.layers[number];
		const target = options.collected[number];
		if (layer === undefined || target === undefined) continue;
		const known = await options.cache?.layerIndex(layer);
		const job = { ...options, number, layer, target, known };
		const route = (entry: TarEntry): Route => {
			if (!entries.has(entry.index)) return "ignore";
			if (into === "aside") options.held.hold(entry.byteLength, `${layer.digest}, ${displayName(entry.path)}`);
			return into;
		};
		if (known === undefined) await readAndIndex(job, route, () => {});
		else await replayOrRead(job, route, () => {});
	}
}

/** Boot loaders and kernel configurations are left out of the root file system by default, and are looked at. */
function isAsidePath(path: ByteString): boolean {
	return path.startsWith("boot/efi/") || (path.startsWith("boot/config-") && path.lastIndexOf("/") === "boot".length);
}

interface LayerJob extends CollectOptions {
	readonly number: number;
	readonly layer: Layer;
	readonly target: CollectedLayer;
	readonly known: KnownLayer | undefined;
}

/** Whether one need not be read where the other was; one blob of which an image says two things is read twice, which tells what is wrong. */
function isSame(a: Layer, b: Layer): boolean {
	return a.digest === b.digest && a.diffId === b.diffId && a.compressedBytes === b.compressedBytes;
}

/** Routes the entries that the index names; reads the layer only where something that is needed is not at hand. */
async function replayOrRead(
	job: LayerJob,
	route: (entry: TarEntry) => Route,
	onBytes: (doneBytes: number) => void,
): Promise<void> {
	const { known, layer, cache } = job;
	if (known === undefined) return;
	const { index, origin } = known;
	layer.judgeKnown({ archiveBytes: index.tarBytes, compression: index.layer.compression });
	try {
		const routes: Route[] = [];
		let canReplay = true;
		const turns = new Turns(job.signal);
		for (const indexed of index.entries()) {
			if (turns.areDue()) await turns.next();
			const decided = route(indexed.entry);
			routes.push(decided);
			canReplay &&= isAtHand(indexed, decided, job);
		}
		if (!canReplay && job.supply !== undefined) {
			const needs = missingBlocks(index, routes, job);
			canReplay = needs !== undefined && (await job.supply(needs));
		}
		if (canReplay) {
			await replay(job, known, routes);
			return;
		}
		let readBytes = 0;
		let entries = 0;
		const indexed = index.entries();
		const decided = (entry: TarEntry): Route => {
			entries++;
			const { value } = indexed.next();
			const route = routes[entry.index];
			if (route === undefined || value === undefined) throw new BrokenIndex("the layer has more entries");
			if (!sameEntry(value.entry, entry)) throw new BrokenIndex("the layer has other entries");
			return route;
		};
		await readAndIndex(job, decided, (bytes) => {
			readBytes += bytes;
			onBytes(readBytes);
		});
		if (entries !== routes.length) throw new BrokenIndex("the layer has fewer entries");
	} catch (error) {
		if (!(error instanceof BrokenIndex)) throw error;
		cache?.dropLayer(layer.digest, origin);
		throw damaged(`the index of layer ${layer.digest} makes no sense: ${error.message}`, layer.digest);
	}
}

async function replay(job: LayerJob, { index, origin }: KnownLayer, routes: readonly Route[]): Promise<void> {
	const { layer, number, target, cache, data } = job;
	const { counts } = target;
	await inStretch(job, async () => {
		const moved = await replayLayer(index, number, (entry) => routes[entry] ?? "skip", { ...job, counts });
		const keyOf = (fragment: number): Uint8Array => data.fragmentKey(fragment);
		if (moved === undefined) return;
		const encoding = moved.encoding(index.layer, index.tarBytes, index.notes, keyOf);
		cache?.setLayerIndex(layer.digest, await inTurns(encoding, job.signal), origin);
	});
	counts.tarBytes = index.tarBytes;
	const own = `${layer.digest}: `;
	passOn(
		job,
		index.notes.map((note) => own + note),
	);
}

async function readAndIndex(
	job: LayerJob,
	route: (entry: TarEntry) => Route,
	onBytes: (bytes: number) => void,
): Promise<void> {
	const { layer, number, target, cache, known, data } = job;
	const { counts } = target;
	// what a shared cache says of contents stays out of what this machine has seen
	const previous = known?.origin === undefined ? known?.index : undefined;
	const recorder = cache && new LayerIndexWriter(job.blockBytes, previous);
	const { bodies, signal } = job;
	const onAside = (content: AsideContent): void => void target.contents.push(content);
	await inStretch(job, async () => {
		const options = { data, bodies, signal, route, counts, recorder, onAside, onBytes };
		const notes = await readLayer(layer, number, options);
		data.endLayer();
		const own = `${layer.digest}: `;
		const keyOf = (fragment: number): Uint8Array => data.fragmentKey(fragment);
		const indexNotes = notes.map((note) => (note.startsWith(own) ? note.slice(own.length) : note));
		const { digest, compressedBytes, diffId, compression } = layer;
		const identity = { digest, compressedBytes, diffId, compression: compression ?? "none" };
		if (recorder !== undefined)
			cache?.setLayerIndex(
				digest,
				await inTurns(recorder.encoding(identity, counts.tarBytes, indexNotes, keyOf), signal),
			);
		passOn(job, notes);
	});
}

/** A second reading has nothing new to say. */
function passOn({ target, onNote }: LayerJob, notes: readonly string[]): void {
	if (!target.isNoted) for (const note of notes) onNote(note);
	target.isNoted = true;
}

async function inStretch({ data, target }: LayerJob, work: () => Promise<void>): Promise<void> {
	const stretch: CollectedLayer["stretches"][number] = { from: data.endLayer(), to: undefined };
	target.stretches.push(stretch);
	await work();
	stretch.to = data.endLayer();
}
