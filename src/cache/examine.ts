import { createHash } from "node:crypto";
import type { Steps } from "../binary/turns.ts";
import { MiB } from "../binary/units.ts";
import { readingPackHead } from "./block-store.ts";
import { BrokenIndex } from "./failures.ts";
import { openingLayerIndex } from "./layer-index-reader.ts";
import { fileNameOf, layerIndexName, MAX_INDEX_BYTES, originIn } from "./layer-index-store.ts";
import { storedBytes } from "./pack-format.ts";
import {
	type OpenFile,
	readFully,
	readingFully,
	reasonOf,
	type StoreDirectory,
	type StoreFile,
} from "./store-directory.ts";

/** As long as most blocks are at most. */
const PIECE_BYTES = MiB;

/** A file of the store and what it is about; one that cannot be read says nothing. */
export interface StoreEntry extends StoreFile {
	readonly diffId: string | undefined;
	/** Digest of the layer's blob, for a layer index. */
	readonly digest: string | undefined;
	/** Of a layer index. */
	readonly blockBytes: number | undefined;
	/** `settingsText` of a pack. */
	readonly settings: string | undefined;
	/** Entries of a layer, blocks of a pack. */
	readonly entryCount: number | undefined;
	/** Why nothing is known of it. */
	readonly state?: StoreFault["state"] | "absent";
}

/** Every file of the store, the one used last first, in steps. */
export function* listStore(directory: StoreDirectory): Steps<StoreEntry[]> {
	const entries: StoreEntry[] = [];
	for (const file of yield* directory.listing()) {
		entries.push(yield* entryOf(directory, file));
		yield;
	}
	return entries;
}

function* entryOf(directory: StoreDirectory, file: StoreFile): Steps<StoreEntry> {
	const unknown = {
		...file,
		diffId: undefined,
		digest: undefined,
		blockBytes: undefined,
		settings: undefined,
		entryCount: undefined,
	};
	const opened = directory.tryOpen(file.kind, file.name);
	if ("state" in opened) return { ...unknown, state: opened.state };
	try {
		if (file.kind === "pack") {
			const head = yield* readingPackHead(opened);
			if (head !== undefined) return { ...unknown, ...head.description, entryCount: head.entryCount };
		} else {
			const bytes = Buffer.allocUnsafe(Math.min(opened.byteLength, MAX_INDEX_BYTES));
			const index = (yield* readingFully(opened, 0, bytes)) ? yield* openingLayerIndex(bytes) : undefined;
			if (index !== undefined) {
				const { layer, blockBytes, entryCount } = index;
				return { ...unknown, digest: layer.digest, diffId: layer.diffId, blockBytes, entryCount };
			}
		}
		return { ...unknown, state: "damaged" };
	} catch {
		return { ...unknown, state: "unreadable" };
	} finally {
		opened.close();
	}
}

/** A file of which no checksum could be found right; only a damaged one is removed. */
export interface StoreFault extends StoreFile {
	readonly state: "damaged" | "foreign" | "unreadable";
	/** In a few words. */
	readonly reason: string;
}

/** Checks every checksum of the store, in steps; removes the files in which one is wrong, and leaves those alone that it may not look into or cannot read. */
export function* verifyStore(
	directory: StoreDirectory,
	onFile: (file: StoreFile) => void = () => {},
): Steps<StoreFault[]> {
	const faults: StoreFault[] = [];
	for (const file of yield* directory.listing()) {
		const fault = yield* faultOf(directory, file);
		// somebody has removed it meanwhile
		if (fault?.state === "absent") continue;
		onFile(file);
		if (fault === undefined) continue;
		if (fault.state === "damaged") directory.remove(file.kind, file.name);
		faults.push({ ...file, state: fault.state, reason: fault.reason });
	}
	return faults;
}

interface Fault {
	readonly state: StoreFault["state"] | "absent";
	readonly reason: string;
}

function* faultOf(directory: StoreDirectory, { kind, name }: StoreFile): Steps<Fault | undefined> {
	const file = directory.tryOpen(kind, name);
	if ("state" in file) return file;
	try {
		const isWhole = yield* kind === "layer" ? isWholeIndex(file, name) : isWholePack(file, name);
		return isWhole ? undefined : { state: "damaged", reason: "it is not what was written" };
	} catch (error) {
		return { state: "unreadable", reason: reasonOf(error) };
	} finally {
		file.close();
	}
}

/** An entry a step. */
function* isWholeIndex(file: OpenFile, name: string): Steps<boolean> {
	if (file.byteLength > MAX_INDEX_BYTES) return false;
	const bytes = Buffer.allocUnsafe(file.byteLength);
	const index = (yield* readingFully(file, 0, bytes)) ? yield* openingLayerIndex(bytes) : undefined;
	if (index === undefined || name !== layerIndexName(index.layer.digest, index, originIn(name))) return false;
	try {
		for (const _ of index.entries()) yield;
		return true;
	} catch (error) {
		if (error instanceof BrokenIndex) return false;
		throw error;
	}
}

/** A piece of a block a step. */
function* isWholePack(file: OpenFile, name: string): Steps<boolean> {
	const head = yield* readingPackHead(file);
	if (head === undefined || !name.startsWith(`${fileNameOf(head.description.diffId)}.`)) return false;
	const piece = Buffer.allocUnsafe(PIECE_BYTES);
	let count = 0;
	for (const entry of head.entries) {
		const digest = createHash("sha256");
		const length = storedBytes(entry);
		for (let at = 0; at < length; at += PIECE_BYTES) {
			const bytes = piece.subarray(0, Math.min(PIECE_BYTES, length - at));
			if (!readFully(file, head.dataOffset + entry.offset + at, bytes)) return false;
			digest.update(bytes);
			yield;
		}
		if (!digest.digest().equals(entry.checksum)) return false;
		count++;
	}
	return count === head.entryCount;
}
