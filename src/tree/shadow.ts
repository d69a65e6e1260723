import type { ByteString } from "../binary/byte-string.ts";
import type { Steps } from "../binary/turns.ts";
import type { LayerChange } from "./layer-changes.ts";
import { cleanPath, parentLength } from "./path.ts";

/** The path itself is decided by an upper layer. */
const SELF = 1;
/** Everything below the path is. */
const BELOW = 2;
/** Paths with more bytes hide nothing: looking each of their parents up takes time that grows with the square of their length. */
const MAX_LOOKED_UP_BYTES = 2048;

/**
 * What the layers read so far (the upper ones) decide, by path as text. Only a guess at what the merge will need, because paths as
 * text know nothing of symbolic links: a wrong "shadowed" costs a second reading of a layer, never a wrong tree.
 */
export class Shadow {
	readonly #decided = new Map<ByteString, number>();
	readonly #hardLinkTargets = new Set<ByteString>();
	#lastParent: ByteString | undefined;
	#lastParentCovers = false;

	/** Adds a complete layer, above all those that are asked about next; a change a step. */
	*addingLayer(changes: readonly LayerChange[]): Steps<void> {
		this.#lastParent = undefined;
		for (const change of changes) {
			this.#add(change);
			yield;
		}
	}

	/** Whether a regular file at this clean path, in a layer below all that were added, is probably out of sight. */
	hides(path: ByteString): boolean {
		if (this.#decided.size === 0 || this.#hardLinkTargets.has(path)) return false;
		if (((this.#decided.get(path) ?? 0) & SELF) !== 0) return true;
		return this.#coversChildrenOf(path);
	}

	#add(change: LayerChange): void {
		switch (change.type) {
			case "inode":
				// A symbolic link may lead to where the lower layer's path really is.
				this.#decide(change.path, change.inode.type === "symlink" ? SELF : SELF | BELOW);
				break;
			case "directory":
				this.#decide(change.path, SELF);
				break;
			case "hard-link":
				// The target may be a symbolic link.
				this.#decide(change.path, SELF);
				this.#hardLinkTargets.add(cleanPath(change.target));
				break;
			case "whiteout":
				this.#decide(change.path === "" ? change.name : `${change.path}/${change.name}`, SELF | BELOW);
				break;
			case "removal":
				this.#decide(change.path, SELF | BELOW);
				break;
			case "opaque":
				this.#decide(change.path, BELOW);
		}
	}

	#decide(path: ByteString, what: number): void {
		this.#decided.set(path, (this.#decided.get(path) ?? 0) | what);
	}

	#coversChildrenOf(path: ByteString): boolean {
		const length = parentLength(path);
		const last = this.#lastParent;
		if (last !== undefined && last.length === length && path.startsWith(last)) return this.#lastParentCovers;
		const parent = path.slice(0, length);
		this.#lastParent = parent;
		this.#lastParentCovers = this.#covers(parent);
		return this.#lastParentCovers;
	}

	#covers(directory: ByteString): boolean {
		if (directory.length > MAX_LOOKED_UP_BYTES) return false;
		for (let path = directory; ; path = path.slice(0, parentLength(path))) {
			if (((this.#decided.get(path) ?? 0) & BELOW) !== 0) return true;
			if (path === "") return false;
		}
	}
}
