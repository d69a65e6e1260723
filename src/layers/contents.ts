import type { StoredFile } from "../content/stored-data.ts";
import { assert } from "../errors.ts";
import { fileTooLarge } from "../tree/file-too-large.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { DirectoryInode, FileInode } from "../tree/inode.ts";
import { createLookup } from "../tree/lookup.ts";
import type { BodyStore } from "./body-store.ts";

export interface ContentsOptions {
	readonly root: DirectoryInode;
	readonly bodies: BodyStore<StoredFile>;
	/** What the root file system holds of a content, in chunks of at most 1 MiB. */
	readStored(file: StoredFile): AsyncIterable<Uint8Array>;
	/** Reads a layer again for a content that was kept nowhere, and sets it aside. */
	fetchAside(file: FileInode): Promise<void>;
}

const ASIDE_CHUNK_BYTES = 1024 * 1024;

/** The merged image with its contents read back from the root file system that was just written: no second copy of the image exists. */
export function createImageTree(options: ContentsOptions): ImageTree {
	async function* stream(file: FileInode): AsyncGenerator<Uint8Array> {
		const stored = options.bodies.stored(file.body);
		if (stored !== undefined) {
			yield* options.readStored(stored);
			return;
		}
		if (options.bodies.aside(file.body) === undefined) await options.fetchAside(file);
		const bytes = options.bodies.aside(file.body);
		assert(bytes?.byteLength === file.byteLength, `no content for entry ${file.body.entry}`);
		for (let at = 0; at < bytes.byteLength; at += ASIDE_CHUNK_BYTES) yield bytes.subarray(at, at + ASIDE_CHUNK_BYTES);
	}
	return {
		root: options.root,
		lookup: createLookup(options.root),
		async read(file, maxBytes) {
			if (file.byteLength > maxBytes) throw fileTooLarge(options.root, file, maxBytes);
			const bytes = Buffer.alloc(file.byteLength);
			let length = 0;
			for await (const chunk of stream(file)) {
				bytes.set(chunk, length);
				length += chunk.byteLength;
			}
			return bytes;
		},
		stream,
	};
}
