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
		const copy = (directory: DirectoryInode, parent: OpenEntries | undefined, name: ByteString): DirectoryInode => {
			const gone = this.#open.get(directory);
			const entries = gone === undefined ? new Map<ByteString, Inode>() : new OpenEntries(gone, parent, name);
			const guarded = { ...directory, entries };
			pending.push([directory, guarded]);
			return guarded;
		};
		const pending: [DirectoryInode, DirectoryInode][] = [];
		const copied = copy(root, undefined, "");
		for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
			const [original, { entries }] = next;
			const parent = entries instanceof OpenEntries ? entries : undefined;
			for (const [name, inode] of original.entries)
				entries.set(name, inode.type === "directory" ? copy(inode, parent, name) : inode);
		}
		return copied;
	}
}

/** The entries of an open directory: each can be asked for by name if it is known, and all of them cannot. */
class OpenEntries extends Map<ByteString, Inode> {
	readonly #gone: ReadonlySet<ByteString>;
	/** Of the directory that holds this one, which is open too. */
	readonly #parent: OpenEntries | undefined;
	readonly #name: ByteString;

	constructor(gone: ReadonlySet<ByteString>, parent: OpenEntries | undefined, name: ByteString) {
		super();
		this.#gone = gone;
		this.#parent = parent;
		this.#name = name;
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
		const names = [name];
		for (let at: OpenEntries | undefined = this; at !== undefined && at.#name !== ""; at = at.#parent)
			names.unshift(at.#name);
		return new LowerLayersNeeded(names.join("/"));
	}
}
