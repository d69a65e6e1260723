import { hash } from "node:crypto";
import type { LayerIndexWriter } from "../cache/layer-index-writer.ts";
import type { DataWriter, DescribeFile } from "../content/data-writer.ts";
import type { StoredFile } from "../content/stored-data.ts";
import type { TarEntry, TarHandler } from "../formats/tar/entry.ts";
import { TarReader } from "../formats/tar/reader.ts";
import type { Layer } from "../oci/layer.ts";
import { readArchive } from "../oci/read-archive.ts";
import type { BodyId } from "../tree/inode.ts";
import type { BodyStore } from "./body-store.ts";

/** Where a regular file's content goes. */
export type Route = "store" | "aside" | "skip" | "ignore";

/** What happened to the contents of one layer, in bytes before compression. */
export interface LayerCounts {
	tarBytes: number;
	entries: number;
	storedBytes: number;
	skippedBytes: number;
	timesRead: number;
}

/** A content that is kept in memory, by its SHA-256. */
export interface AsideContent {
	readonly hash: Uint8Array;
	readonly bytes: Uint8Array;
}

export interface ReadLayerOptions {
	readonly data: DataWriter;
	readonly bodies: BodyStore<StoredFile>;
	readonly route: (entry: TarEntry) => Route;
	readonly counts: LayerCounts;
	/** Takes down what the layer holds. */
	readonly recorder?: LayerIndexWriter | undefined;
	/** Told of each content that is set aside, when there is a recorder. */
	readonly onAside?: ((content: AsideContent) => void) | undefined;
	/** Called after each chunk with the bytes of the blob that it took. */
	readonly onBytes: (blobBytes: number) => void;
	readonly signal?: AbortSignal | undefined;
}

/** Reads a layer's blob to its end and sends its contents where their routes say. Returns what the archive says and the tree cannot hold. */
export async function readLayer(layer: Layer, index: number, options: ReadLayerOptions): Promise<readonly string[]> {
	const { data, counts, signal } = options;
	const reader = new TarReader(bodyRouter(index, options), { origin: layer.digest });
	counts.timesRead++;
	let tarBytes = 0;
	let blobBytes = 0;
	const onBlobBytes = (bytes: number): void => {
		blobBytes += bytes;
	};
	await readArchive(layer, reader, signal, onBlobBytes, async (bytes) => {
		tarBytes += bytes;
		await data.settle();
		options.onBytes(blobBytes);
		blobBytes = 0;
	});
	counts.tarBytes = tarBytes;
	return reader.notes;
}

/** Sends each body where its route says. */
function bodyRouter(layer: number, options: ReadLayerOptions): TarHandler {
	const { data, bodies, route, counts, recorder, onAside } = options;
	let current: Route = "ignore";
	let isFile = false;
	let body: BodyId = { layer, entry: 0 };
	let kept: Buffer | undefined;
	let keptBytes = 0;
	const describe =
		recorder === undefined
			? undefined
			: (...[recipe, place]: Parameters<DescribeFile>) =>
					recorder.stored(recipe, place && { fragment: place.index, offset: place.offset });
	return {
		entry(entry) {
			isFile = entry.type === "file";
			current = route(entry);
			recorder?.entry(entry);
			if (!isFile) return;
			body = { layer, entry: entry.index };
			if (current === "store") {
				data.beginFile();
				counts.storedBytes += entry.byteLength;
			} else if (current === "aside") {
				kept = Buffer.alloc(entry.byteLength);
				keptBytes = 0;
			} else if (current === "skip") counts.skippedBytes += entry.byteLength;
		},
		data(bytes) {
			if (current === "store") data.append(bytes);
			else if (kept !== undefined) {
				kept.set(bytes, keptBytes);
				keptBytes += bytes.byteLength;
			}
		},
		hole(byteLength) {
			if (current === "store") data.appendHole(byteLength);
			else keptBytes += byteLength;
		},
		endEntry() {
			if (!isFile) return;
			if (current === "store") bodies.setStored(body, data.endFile(describe));
			else if (kept !== undefined) {
				bodies.setAside(body, kept);
				if (recorder !== undefined) {
					const content = { hash: hash("sha256", kept, "buffer"), bytes: kept };
					recorder.whole(content.hash);
					onAside?.(content);
				}
			} else recorder?.skipped();
			kept = undefined;
		},
	};
}
