import type { ByteString } from "../binary/byte-string.ts";
import type { Steps } from "../binary/turns.ts";
import type { TarEntry } from "../formats/tar/entry.ts";
import { TarSplitWriter } from "../oci/storage/tar-split-writer.ts";
import type { DirectoryInode, FileInode } from "../tree/inode.ts";
import type { LayerDiff } from "../tree/layer-diff.ts";
import type { ArchiveRecorder } from "./read-layer.ts";

/** What container storage keeps of a layer. */
export interface RecordedLayer {
	/** The layer alone, before it lies on others. */
	readonly diff: DirectoryInode;
	/** Its tar-split. */
	readonly tarSplit: FileInode;
	/** Of the archive. */
	readonly archiveBytes: number;
}

/** A layer's tree and its tar-split, taken down while its archive passes. */
export class LayerRecording implements ArchiveRecorder {
	readonly #diff: LayerDiff;
	readonly #tarSplit = new TarSplitWriter(() => true);
	readonly #files: { readonly path: ByteString; readonly entry: number }[] = [];
	readonly #sparse = new Set<number>();
	#file: TarEntry | undefined;
	#hasHole = false;
	#hasData = false;
	entryCount = 0;
	/** Whether the tree has the last entry's content. */
	keepsContent = false;

	constructor(diff: LayerDiff) {
		this.#diff = diff;
	}

	piece(bytes: Uint8Array): void {
		this.#tarSplit.piece(bytes);
	}

	endPiece(): void {
		this.#tarSplit.endPiece();
	}

	entry(entry: TarEntry): void {
		this.entryCount++;
		this.keepsContent = this.#diff.entry(entry);
		this.#file = entry.type === "file" ? entry : undefined;
		[this.#hasHole, this.#hasData] = [false, false];
		if (this.#file === undefined) return;
		this.#tarSplit.beginFile(entry.index);
		if (entry.byteLength > 0) this.#files.push({ path: entry.path, entry: entry.index });
	}

	data(bytes: Uint8Array): void {
		this.#hasData = true;
		this.#tarSplit.data(bytes);
	}

	hole(): void {
		this.#hasHole = true;
	}

	endEntry(): void {
		if (this.#file === undefined) return;
		this.#tarSplit.endFile(this.#file.path);
		// the archive has less than the file
		if (this.#hasHole && this.#hasData) this.#sparse.add(this.#file.index);
	}

	/**
	 * The tree, and the numbers of entries whose content is not, or not as the archive has it, what containers/storage would read at their path. With any of them, the
	 * tar-split is another: `inlining` takes it down. Throws as `LayerDiff.finishing`. In steps.
	 */
	*finishing(): Steps<{ diff: DirectoryInode; inlined: ReadonlySet<number>; tarSplit: TarSplitWriter }> {
		const diff = yield* this.#diff.finishing();
		const inlined = new Set<number>();
		for (const { path, entry } of this.#files) {
			if (this.#sparse.has(entry) || !isAt(diff, path, entry)) inlined.add(entry);
			yield;
		}
		return { diff, inlined, tarSplit: this.#tarSplit };
	}
}

/** Takes down the tar-split of an archive that has the contents of some entries in it. */
export function inlining(inlined: ReadonlySet<number>): ArchiveRecorder & { readonly tarSplit: TarSplitWriter } {
	const tarSplit = new TarSplitWriter((entry) => !inlined.has(entry));
	let file: TarEntry | undefined;
	return {
		tarSplit,
		piece: (bytes) => tarSplit.piece(bytes),
		endPiece: () => tarSplit.endPiece(),
		entry: (entry) => {
			file = entry.type === "file" ? entry : undefined;
			if (file !== undefined) tarSplit.beginFile(file.index);
		},
		data: (bytes) => tarSplit.data(bytes),
		hole: () => {},
		endEntry: () => {
			if (file !== undefined) tarSplit.endFile(file.path);
		},
	};
}

/** Whether a path leads to the entry's content through directories alone: where links lead depends on where the layer lies. */
function isAt(root: DirectoryInode, path: ByteString, entry: number): boolean {
	let at: DirectoryInode = root;
	const names = path.split("/").filter((name) => name !== "" && name !== ".");
	const last = names.pop();
	if (last === undefined || last === ".." || path.endsWith("/")) return false;
	for (const name of names) {
		const next = at.entries.get(name);
		if (next?.type !== "directory") return false;
		at = next;
	}
	const inode = at.entries.get(last);
	return inode?.type === "file" && inode.entry === entry;
}
