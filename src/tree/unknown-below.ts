import { type ByteString, displayName } from "../binary/byte-string.ts";
import type { DirectoryInode, Inode } from "./inode.ts";

/** An answer depends on layers that were not read. */
export class LowerLayersNeeded extends Error {
	override readonly name = "LowerLayersNeeded";
	/** Canonical path without leading slash that the question was about; with `/*` at its end, everything in a directory. */
	readonly path: ByteString;

	constructor(path: ByteString) {
		super(`what is at /${displayName(path)} depends on lower layers`);
		this.path = path;
	}
}

/**
 * What layers that were not read may still change in the tree that those above them make. A directory is open where lower layers may have put
 * things into it, other than the names that are gone; what is not in an open directory is not known.
 */
export class UnknownBelow {
	readonly #open = new Map<DirectoryInode, Set<ByteString>>();

	constructor(root: DirectoryInode) {
		this.#open.set(root, new Set());
	}

	isKnown(directory: DirectoryInode, name: ByteString): boolean {
		return directory.entries.has(name) || this.#open.get(directory)?.has(name) !== false;
	}

	/** A directory was put where nothing was known to be; a lower layer's of that name is merged with it. */
	open(directory: DirectoryInode): void {
		this.#open.set(directory, new Set());
	}

	/** Nothing of lower layers is left in it. */
	close(directory: DirectoryInode): void {
		this.#open.delete(directory);
	}

	/** Nor under this name. */
	remove(directory: DirectoryInode, name: ByteString): void {
		this.#open.get(directory)?.add(name);
	}

	/** A copy of the tree in which asking for what is not known throws `LowerLayersNeeded`. */
	guarded(root: DirectoryInode): DirectoryInode {
		const copy = (directory: DirectoryInode, path: ByteString): DirectoryInode => {
			const children = [...directory.entries].map(([name, inode]): [ByteString, Inode] => [
				name,
				inode.type === "directory" ? copy(inode, path === "" ? name : `${path}/${name}`) : inode,
			]);
			const gone = this.#open.get(directory);
			const entries = gone === undefined ? new Map(children) : new OpenEntries(children, gone, path);
			return { ...directory, entries };
		};
		return copy(root, "");
	}
}

/** The entries of an open directory: each can be asked for by name if it is known, and all of them cannot. */
class OpenEntries extends Map<ByteString, Inode> {
	readonly #gone: ReadonlySet<ByteString>;
	readonly #path: ByteString;

	constructor(entries: readonly [ByteString, Inode][], gone: ReadonlySet<ByteString>, path: ByteString) {
		super(entries);
		this.#gone = gone;
		this.#path = path;
	}

	override get(name: ByteString): Inode | undefined {
		return this.has(name) ? super.get(name) : undefined;
	}

	override has(name: ByteString): boolean {
		if (super.has(name)) return true;
		if (this.#gone.has(name)) return false;
		throw this.#needed(name);
	}

	override get size(): number {
		throw this.#needed("*");
	}

	override [Symbol.iterator](): never {
		throw this.#needed("*");
	}

	override entries(): never {
		throw this.#needed("*");
	}

	override keys(): never {
		throw this.#needed("*");
	}

	override values(): never {
		throw this.#needed("*");
	}

	override forEach(): never {
		throw this.#needed("*");
	}

	#needed(name: ByteString): LowerLayersNeeded {
		return new LowerLayersNeeded(this.#path === "" ? name : `${this.#path}/${name}`);
	}
}
