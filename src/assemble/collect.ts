import type { ByteString } from "../binary/byte-string.ts";
import { MiB } from "../binary/units.ts";
import { Oci2isoError } from "../errors.ts";
import type { Layer } from "../oci/layer.ts";
import type { SquashfsWriter, StoredFile } from "../squashfs/squashfs-writer.ts";
import type { TarEntry, TarHandler } from "../tar/entry.ts";
import { TarReader } from "../tar/reader.ts";
import type { BodyId } from "../tree/inode.ts";
import type { TreeMerger } from "../tree/merge.ts";
import { cleanPath } from "../tree/path.ts";
import type { BodyStore } from "./body-store.ts";

/** Boot loaders are left out of the squashfs by default, and the ISO needs some of them: kept in memory up to this many bytes in all. */
const ASIDE_PATH = /^boot\/efi\//;
const MAX_ASIDE_BYTES = 64 * MiB;

/** What happened to the contents of one layer, in bytes before compression. */
export interface LayerCounts {
	tarBytes: number;
	entries: number;
	storedBytes: number;
	skippedBytes: number;
	timesRead: number;
}

export interface CollectOptions {
	/** Bottom layer first. */
	readonly layers: readonly Layer[];
	readonly merger: TreeMerger;
	readonly squashfs: SquashfsWriter;
	readonly bodies: BodyStore<StoredFile>;
	/** Whether the squashfs leaves this path out; no leading slash. */
	readonly isExcluded: (path: ByteString) => boolean;
	readonly signal?: AbortSignal | undefined;
	/** Called after each chunk with the bytes of blobs read so far, of all layers. */
	readonly onBytes: (blobBytes: number) => void;
	/** Called for what an archive says and the tree cannot hold. */
	readonly onNote: (text: string) => void;
}

/** Reads the layers once, the top one first, as far down as they can matter: tells the merger of every entry and stores the contents that may be needed. */
export async function collectLayers(options: CollectOptions): Promise<LayerCounts[]> {
	const { layers, merger } = options;
	const aside = { bytesLeft: MAX_ASIDE_BYTES };
	const counts = layers.map(
		(): LayerCounts => ({ tarBytes: 0, entries: 0, storedBytes: 0, skippedBytes: 0, timesRead: 0 }),
	);
	let readBytes = 0;
	for (const [index, layer] of [...layers.entries()].reverse()) {
		const count = counts[index];
		if (count === undefined) continue;
		const above = layers.findLastIndex((other) => other.digest === layer.digest);
		if (above > index) {
			merger.repeat(index, above);
			continue;
		}
		const merge = merger.layer(index, layer.digest);
		const route = (entry: TarEntry): Route => {
			count.entries++;
			const decision = merge.entry(entry);
			if (entry.type !== "file") return "skip";
			if (decision === "skip") return "skip";
			const path = cleanPath(entry.path);
			if (!options.isExcluded(path)) return "store";
			return ASIDE_PATH.test(path) && entry.byteLength <= aside.bytesLeft ? "aside" : "skip";
		};
		await readLayer(layer, index, { ...options, route, count, aside }, (bytes) => {
			readBytes += bytes;
			options.onBytes(readBytes);
		});
		options.squashfs.endLayer();
		merge.finish();
		if (merger.decidesAllBelow) {
			merger.skipRest();
			break;
		}
	}
	return counts;
}

/**
 * Reads layers again for contents that were passed over although the tree needs them (a symbolic link led an entry elsewhere than its path says).
 * Appends them to the squashfs, or keeps them in memory when `into` is "aside".
 */
export async function collectMissing(
	options: Omit<CollectOptions, "merger" | "isExcluded">,
	missing: Iterable<BodyId>,
	into: "store" | "aside",
	counts: readonly LayerCounts[],
): Promise<void> {
	const wanted = new Map<number, Set<number>>();
	for (const { layer, entry } of missing) {
		const entries = wanted.get(layer) ?? new Set();
		wanted.set(layer, entries.add(entry));
	}
	for (const [index, entries] of [...wanted].sort(([a], [b]) => b - a)) {
		const layer = options.layers[index];
		const count = counts[index];
		if (layer === undefined || count === undefined) continue;
		const route = (entry: TarEntry): Route => (entries.has(entry.index) ? into : "ignore");
		await readLayer(
			layer,
			index,
			{ ...options, route, count, aside: { bytesLeft: Number.POSITIVE_INFINITY } },
			() => {},
		);
		options.squashfs.endLayer();
	}
}

type Route = "store" | "aside" | "skip" | "ignore";

interface LayerContext extends Pick<CollectOptions, "squashfs" | "bodies" | "signal" | "onNote"> {
	readonly route: (entry: TarEntry) => Route;
	readonly count: LayerCounts;
	readonly aside: { bytesLeft: number };
}

async function readLayer(
	layer: Layer,
	index: number,
	context: LayerContext,
	onChunk: (bytes: number) => void,
): Promise<void> {
	const { squashfs, count } = context;
	const reader = new TarReader(bodyRouter(index, context), { origin: layer.digest });
	count.timesRead++;
	let tarBytes = 0;
	let blobBytes = 0;
	const onBlobBytes = (bytes: number): void => {
		blobBytes += bytes;
	};
	try {
		for await (const chunk of layer.tar(context.signal, onBlobBytes)) {
			reader.push(chunk);
			tarBytes += chunk.byteLength;
			await squashfs.settle();
			onChunk(blobBytes);
			blobBytes = 0;
		}
		reader.finish();
	} catch (error) {
		// An archive that makes no sense is a consequence where the blob is not the one that was stored.
		if (error instanceof Oci2isoError && error.kind === "corrupt") await layer.verifyBlob(context.signal);
		throw error;
	}
	count.tarBytes = tarBytes;
	// A second reading has nothing new to say.
	if (count.timesRead === 1) for (const note of reader.notes) context.onNote(note);
}

/** Sends each body where its route says. */
function bodyRouter(layer: number, { squashfs, bodies, route, count, aside }: LayerContext): TarHandler {
	let current: Route = "skip";
	let body: BodyId = { layer, entry: 0 };
	let kept: Buffer | undefined;
	let keptBytes = 0;
	return {
		entry(entry) {
			current = route(entry);
			if (entry.type !== "file") {
				current = "ignore";
				return;
			}
			body = { layer, entry: entry.index };
			if (current === "store") {
				squashfs.beginFile();
				count.storedBytes += entry.byteLength;
			} else if (current === "aside") {
				kept = Buffer.alloc(entry.byteLength);
				keptBytes = 0;
				aside.bytesLeft -= entry.byteLength;
			} else if (current === "skip") count.skippedBytes += entry.byteLength;
		},
		data(bytes) {
			if (current === "store") squashfs.append(bytes);
			else if (kept !== undefined) {
				kept.set(bytes, keptBytes);
				keptBytes += bytes.byteLength;
			}
		},
		hole(byteLength) {
			if (current === "store") squashfs.appendHole(byteLength);
			else keptBytes += byteLength;
		},
		endEntry() {
			if (current === "store") bodies.setStored(body, squashfs.endFile());
			else if (kept !== undefined) bodies.setAside(body, kept);
			kept = undefined;
			current = "ignore";
		},
	};
}
