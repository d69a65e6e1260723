import { hash } from "node:crypto";
import { readPackHead } from "./block-store.ts";
import { BrokenIndex } from "./failures.ts";
import { openLayerIndex } from "./layer-index-format.ts";
import { fileNameOf, layerIndexName, MAX_INDEX_BYTES, originIn } from "./layer-index-store.ts";
import { storedBytes } from "./pack-format.ts";
import { readFully, type StoreDirectory, type StoreFile } from "./store-directory.ts";

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
}

/** Every file of the store, the one used last first. */
export function listStore(directory: StoreDirectory): StoreEntry[] {
	return directory.list().map((file) => {
		const unknown = {
			...file,
			diffId: undefined,
			digest: undefined,
			blockBytes: undefined,
			settings: undefined,
			entryCount: undefined,
		};
		if (file.kind === "layer") {
			const index = openLayerIndex(directory.readFile("layer", file.name, MAX_INDEX_BYTES) ?? Buffer.alloc(0));
			if (index === undefined) return unknown;
			const { digest, diffId } = index.layer;
			return { ...unknown, digest, diffId, blockBytes: index.blockBytes, entryCount: index.entryCount };
		}
		const pack = directory.openFile("pack", file.name);
		try {
			const head = pack && readPackHead(pack);
			return head === undefined ? unknown : { ...unknown, ...head.description, entryCount: head.entryCount };
		} finally {
			pack?.close();
		}
	});
}

/** Checks every checksum of the store and removes the files in which one is wrong; returns those. */
export function verifyStore(directory: StoreDirectory, onFile: (file: StoreFile) => void = () => {}): StoreFile[] {
	return directory.list().filter((file) => {
		onFile(file);
		const isWhole = file.kind === "layer" ? isWholeIndex(directory, file.name) : isWholePack(directory, file.name);
		if (!isWhole) directory.remove(file.kind, file.name);
		return !isWhole;
	});
}

function isWholeIndex(directory: StoreDirectory, name: string): boolean {
	const index = openLayerIndex(directory.readFile("layer", name, MAX_INDEX_BYTES) ?? Buffer.alloc(0));
	if (index === undefined || name !== layerIndexName(index.layer.digest, index.blockBytes, originIn(name)))
		return false;
	try {
		for (const _ of index.entries());
		return true;
	} catch (error) {
		if (error instanceof BrokenIndex) return false;
		throw error;
	}
}

function isWholePack(directory: StoreDirectory, name: string): boolean {
	const file = directory.openFile("pack", name);
	if (file === undefined) return false;
	try {
		const head = readPackHead(file);
		if (head === undefined || !name.startsWith(`${fileNameOf(head.description.diffId)}.`)) return false;
		let count = 0;
		for (const entry of head.entries) {
			const bytes = Buffer.allocUnsafe(storedBytes(entry));
			if (!readFully(file, head.dataOffset + entry.offset, bytes)) return false;
			if (!hash("sha256", bytes, "buffer").equals(entry.checksum)) return false;
			count++;
		}
		return count === head.entryCount;
	} finally {
		file.close();
	}
}
