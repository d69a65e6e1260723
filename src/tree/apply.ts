import { type ByteString, displayName, displayPath } from "../binary/byte-string.ts";
import type { Steps } from "../binary/turns.ts";
import { NO_XATTRS } from "../binary/xattrs.ts";
import { corrupt, type Oci2isoError } from "../errors.ts";
import type { DirectoryInode, Inode, InodeAttributes, Timestamp } from "./inode.ts";
import type { LayerChange } from "./layer-changes.ts";
import { Oddity } from "./oddities.ts";
import { baseName, cleanPath, MAX_NAME_BYTES, MAX_PATH_BYTES, parentLength } from "./path.ts";
import { PlaceResolver } from "./place.ts";
import { LowerLayersNeeded, UnknownBelow } from "./unknown-below.ts";

interface ChangeApplierOptions {
	readonly createdParentTime: Timestamp;
	/** Most directories that may come into being without an entry of their own. */
	readonly maxCreatedParents: number;
	readonly maxLookupSteps: number;
	/** The layers are the upper ones: `LowerLayersNeeded` is thrown where what a layer does depends on those below. */
	readonly onUnknownBase?: boolean;
	/** The layers are applied this once: what they say is forgotten as it is done, for there may be millions of changes. */
	readonly forgetsChanges?: boolean;
}

/** A directory of the tree with the way to it. */
interface ParentPlace {
	readonly directory: DirectoryInode;
	/** From the root to `directory`. */
	readonly directories: readonly DirectoryInode[];
	/** The name of each of them but the root, in the one before. */
	readonly names: readonly ByteString[];
	readonly pathBytes: number;
	/** A symbolic link of a lower layer leads there. */
	readonly isElsewhere: boolean;
}

const CREATED_MODE = 0o755;
/** Stands for the directory of a whiteout whose path leads to none. */
const NOWHERE = newDirectory({ seconds: 0, nanoseconds: 0 });
const SET_GROUP_ID = 0o2000;

/**
 * Applies layers from the bottom up, entry by entry, as unpacking them onto a file system would: parents are found through symbolic links
 * inside the tree, links and whiteouts see what is there at that moment, and whiteouts spare what their own layer has put there. What a lower layer has in
 * the way of an entry and is no directory, a symbolic link that leads to none among it, gives way to one, as where each layer is unpacked on its own
 * (overlay).
 *
 * Invariants: every directory of the tree has one name. `#touched` holds, for the layer being applied and only when it has
 * whiteouts, the names that this layer has put in place or passed through. `#parent` is right for `#parentPath` until
 * something that could redirect a path (a directory or symbolic link) is added as a link, replaced or removed.
 */
export class ChangeApplier {
	readonly root: DirectoryInode;
	readonly #options: ChangeApplierOptions;
	readonly #places: PlaceResolver;
	readonly #unknown: UnknownBelow | undefined;
	#touched: Map<DirectoryInode, Set<ByteString>> | undefined;
	#origin = "";
	#index = -1;
	#changes: readonly (LayerChange | undefined)[] = [];
	/** Of the changes, those that were applied or are being applied. */
	#appliedChanges = 0;
	/** What this layer has put in place and is neither a directory nor a file; undefined until somebody asks. */
	#ownInodes: Set<Inode> | undefined;
	#parent: ParentPlace | undefined;
	#parentPath: ByteString = "";
	#createdParents = 0;
	#firstCreatedParent: ByteString = "";
	#aufsEntries = 0;
	readonly #replaced = new Oddity(
		(count, paths) =>
			`${count} files or links of a lower layer gave way to directories, because an upper layer has entries below them: ${paths}`,
	);
	readonly #elsewhere = new Oddity(
		(count, paths) =>
			`${count} entries were put where a symbolic link of a lower layer leads (podman and docker put a directory in the link's place): ${paths}`,
	);
	readonly #removedElsewhere = new Oddity(
		(count, paths) =>
			`${count} whiteouts had their effect where a symbolic link of a lower layer leads (podman and docker put a directory in the link's place): ${paths}`,
	);

	constructor(options: ChangeApplierOptions) {
		this.#options = options;
		this.root = newDirectory(options.createdParentTime);
		this.#unknown = options.onUnknownBase === true ? new UnknownBelow(this.root) : undefined;
		this.#places = new PlaceResolver(this.root, options.maxLookupSteps, (directory, path) =>
			this.#requireKnown(directory, path),
		);
	}

	/** What was chosen where the specification is silent. */
	get notes(): string[] {
		const notes: string[] = [];
		if (this.#createdParents > 0)
			notes.push(
				`${this.#createdParents} directories have no entry of their own and got mode 0755, owner 0:0 ` +
					`(first: ${displayPath(this.#firstCreatedParent)})`,
			);
		if (this.#aufsEntries > 0) notes.push(`${this.#aufsEntries} entries of aufs' own (.wh..wh.*) were ignored`);
		for (const oddity of [this.#replaced, this.#elsewhere, this.#removedElsewhere]) notes.push(...oddity.notes);
		return notes;
	}

	/** The tree where the layers below are not known; asking it for what they decide throws `LowerLayersNeeded`. */
	get guardedRoot(): DirectoryInode {
		return this.#unknown?.guarded(this.root) ?? this.root;
	}

	/** Applies the layer of this number on top of those before, a change a step; `origin` names it in errors. */
	*layer(changes: (LayerChange | undefined)[], index: number, origin: string): Steps<void> {
		this.#origin = origin;
		this.#index = index;
		this.#changes = changes;
		this.#appliedChanges = 0;
		this.#ownInodes = undefined;
		this.#parent = undefined;
		const hasWhiteouts = changes.some((change) => change?.type === "whiteout" || change?.type === "opaque");
		this.#touched = hasWhiteouts ? new Map() : undefined;
		for (const [i, change] of changes.entries()) {
			this.#appliedChanges++;
			if (change !== undefined) this.#apply(change);
			// `#isOwn` may yet ask for the others
			if (this.#options.forgetsChanges === true && !isOwnedByChange(change)) changes[i] = undefined;
			yield;
		}
		this.#changes = [];
	}

	#apply(change: LayerChange): void {
		switch (change.type) {
			case "opaque":
				this.#applyOpaque(change.path);
				return;
			case "whiteout":
				if (change.isAufs) this.#aufsEntries++;
				this.#applyWhiteout(change.path, change.name);
				return;
			case "directory":
				if (change.path === "") Object.assign(this.root, change.attributes);
				else this.#putDirectory(change.path, change.attributes);
				return;
			case "hard-link": {
				const parent = this.#parentOf(change.path);
				const name = this.#nameOf(change.path);
				// The old file goes first: a link whose target lies below its own path finds nothing.
				this.#remove(parent.directory, name);
				this.#put(change.path, parent, name, this.#linkTarget(change.path, change.target));
				return;
			}
			case "removal": {
				const parent = this.#parentOf(change.path);
				const name = this.#nameOf(change.path);
				this.#remove(parent.directory, name);
				this.#unknown?.remove(parent.directory, name);
				this.#touch(parent, name);
				return;
			}
			case "inode":
				if (isOwnedByChange(change)) this.#ownInodes?.add(change.inode);
				this.#put(change.path, this.#parentOf(change.path), this.#nameOf(change.path), change.inode);
		}
	}

	#putDirectory(path: ByteString, attributes: InodeAttributes): void {
		const parent = this.#parentOf(path);
		const name = this.#nameOf(path);
		const old = parent.directory.entries.get(name);
		if (old?.type === "directory") {
			Object.assign(old, attributes);
			this.#noteElsewhere(path, parent, name);
			this.#touch(parent, name);
		} else {
			const { mode, uid, gid, mtime, xattrs } = attributes;
			const directory: DirectoryInode = {
				type: "directory",
				mode,
				uid,
				gid,
				mtime,
				xattrs,
				number: 0,
				entries: new Map(),
			};
			if (this.#unknown?.isKnown(parent.directory, name) === false) this.#unknown.open(directory);
			this.#put(path, parent, name, directory);
		}
	}

	#put(path: ByteString, parent: ParentPlace, name: ByteString, inode: Inode): void {
		if (parent.pathBytes + 1 + name.length > MAX_PATH_BYTES) throw this.#pathTooLong(path);
		this.#remove(parent.directory, name);
		parent.directory.entries.set(name, inode);
		if (inode.type === "symlink") this.#parent = undefined;
		this.#noteElsewhere(path, parent, name);
		this.#touch(parent, name);
	}

	#noteElsewhere(path: ByteString, parent: ParentPlace, name: ByteString): void {
		if (parent.isElsewhere) this.#elsewhere.add(path, ` (at ${displayPath([...parent.names, name].join("/"))})`);
	}

	#remove(directory: DirectoryInode, name: ByteString): void {
		const old = directory.entries.get(name);
		if (old === undefined) return;
		if (old.type === "directory" || old.type === "symlink") this.#parent = undefined;
		directory.entries.delete(name);
	}

	#linkTarget(path: ByteString, target: ByteString): Inode {
		const cleaned = cleanPath(target);
		const fail = (code: string, what: string): Oci2isoError =>
			this.#error(code, `a hard link to ${displayName(target)}, ${what}`, path);
		if (cleaned === "") throw fail("HARD_LINK_TO_DIRECTORY", "which is a directory");
		const place = this.#places.resolve(cleaned.slice(0, parentLength(cleaned)), this.#origin);
		const directory = place.missing.length === 0 ? place.deepest : undefined;
		if (directory?.type === "directory") this.#requireKnown(directory, [cleaned]);
		const inode = directory?.type === "directory" ? directory.entries.get(baseName(cleaned)) : undefined;
		if (inode === undefined) throw fail("HARD_LINK_TARGET_MISSING", "which is not there at that point");
		if (inode.type === "directory") throw fail("HARD_LINK_TO_DIRECTORY", "which is a directory");
		return inode;
	}

	#applyWhiteout(path: ByteString, name: ByteString): void {
		const place = this.#whiteoutPlace(path);
		if (place === undefined) return;
		if (place.directory.entries.has(name)) this.#noteRemovedElsewhere(path, place, name);
		this.#removeUntouched(place.directory, name);
	}

	#applyOpaque(path: ByteString): void {
		const place = this.#whiteoutPlace(path);
		if (place === undefined) return;
		if (place.directory.entries.size > 0) this.#noteRemovedElsewhere(path, place, "*");
		this.#removeUntouchedChildren(place.directory);
	}

	/** Where a whiteout in the directory `path` acts; undefined where there is no such directory, and so nothing for it to do. */
	#whiteoutPlace(path: ByteString): Pick<ParentPlace, "directory" | "names" | "isElsewhere"> | undefined {
		let isElsewhere = false;
		let isBlocked = false;
		const { deepest, missing, names } = this.#places.resolve(path, this.#origin, {
			clear: (directory, name) => {
				const inode = directory.entries.get(name);
				if (inode === undefined || this.#isOwn(inode)) return undefined;
				isBlocked = true;
				return NOWHERE;
			},
			follow: (link) => {
				isElsewhere ||= !this.#isOwn(link);
			},
		});
		if (isBlocked || missing.length > 0 || deepest.type !== "directory") return undefined;
		this.#parent = undefined;
		return { directory: deepest, names, isElsewhere };
	}

	#noteRemovedElsewhere(path: ByteString, place: Pick<ParentPlace, "names" | "isElsewhere">, name: ByteString): void {
		if (place.isElsewhere)
			this.#removedElsewhere.add(`${path}/${name}`, ` (at ${displayPath([...place.names, name].join("/"))})`);
	}

	/** Removes what lower layers have put there and keeps what this one has. */
	#removeUntouched(directory: DirectoryInode, name: ByteString): void {
		const inode = directory.entries.get(name);
		if (this.#touched?.get(directory)?.has(name) !== true) {
			directory.entries.delete(name);
			this.#unknown?.remove(directory, name);
		} else if (inode?.type === "directory") this.#removeUntouchedChildren(inode);
	}

	#removeUntouchedChildren(directory: DirectoryInode): void {
		const pending = [directory];
		for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
			this.#places.charge(next.entries.size, this.#origin);
			this.#unknown?.close(next);
			const touched = this.#touched?.get(next);
			for (const [name, inode] of next.entries) {
				if (touched?.has(name) !== true) next.entries.delete(name);
				else if (inode.type === "directory") pending.push(inode);
			}
		}
	}

	#touch(parent: ParentPlace, name: ByteString): void {
		if (this.#touched === undefined) return;
		let child = name;
		for (let i = parent.directories.length - 1; i >= 0; i--) {
			const directory = parent.directories[i];
			if (directory === undefined) return;
			const names = this.#touched.get(directory);
			if (names === undefined) this.#touched.set(directory, new Set([child]));
			else if (names.has(child)) return;
			else names.add(child);
			child = parent.names[i - 1] ?? "";
		}
	}

	/** The directory that the entry at `path` goes into, made where it is missing. */
	#parentOf(path: ByteString): ParentPlace {
		const length = parentLength(path);
		const known = this.#parent;
		if (known !== undefined && this.#parentPath.length === length && path.startsWith(this.#parentPath)) return known;
		const parentPath = path.slice(0, length);
		let isElsewhere = false;
		const place = this.#places.resolve(parentPath, this.#origin, {
			clear: (directory, name, at) => this.#makeWay(directory, name, at),
			follow: (link) => {
				isElsewhere ||= !this.#isOwn(link);
			},
		});
		const { directories, names } = place;
		let directory = place.deepest;
		if (directory.type !== "directory")
			throw this.#error("PARENT_NOT_DIRECTORY", `an entry below a ${directory.type}`, path, "a directory");
		if (place.pathBytes > MAX_PATH_BYTES) throw this.#pathTooLong(path);
		for (const name of place.missing) {
			if (name.length > MAX_NAME_BYTES) throw this.#nameTooLong(name, path);
			const child = this.#createParent(directory, path.slice(0, length));
			directory.entries.set(name, child);
			directories.push(child);
			names.push(name);
			directory = child;
		}
		const parent = { directory, directories, names, pathBytes: place.pathBytes, isElsewhere };
		this.#parent = parent;
		this.#parentPath = parentPath;
		return parent;
	}

	/** Puts a directory in the place of what a lower layer has there. */
	#makeWay(directory: DirectoryInode, name: ByteString, at: readonly ByteString[]): DirectoryInode | undefined {
		const old = directory.entries.get(name);
		if (old === undefined || this.#isOwn(old)) return undefined;
		const path = at.join("/");
		const created = this.#createParent(directory, path);
		directory.entries.set(name, created);
		this.#replaced.add(path, ` (${old.type})`);
		return created;
	}

	/** A directory that no entry names, to be put into `parent`; `path` is named in the notes. */
	#createParent(parent: DirectoryInode, path: ByteString): DirectoryInode {
		const child = newDirectory(this.#options.createdParentTime);
		if ((parent.mode & SET_GROUP_ID) !== 0) {
			// As mkdir(2) does on Linux.
			child.mode |= SET_GROUP_ID;
			child.gid = parent.gid;
		}
		if (this.#createdParents++ === 0) this.#firstCreatedParent = path;
		if (this.#createdParents > this.#options.maxCreatedParents)
			throw this.#error("TOO_MANY_ENTRIES", "too many directories without an entry of their own", path);
		return child;
	}

	/** Whether this layer has put it there; of hard links, whether it has put the file they lead to. */
	#isOwn(inode: Inode): boolean {
		if (inode.type === "file") return inode.layer === this.#index;
		if (this.#ownInodes === undefined) {
			this.#ownInodes = new Set();
			for (let i = 0; i < this.#appliedChanges; i++) {
				const change = this.#changes[i];
				if (isOwnedByChange(change)) this.#ownInodes.add(change.inode);
			}
		}
		return this.#ownInodes.has(inode);
	}

	/** What `path`, whose last component is missing in `directory`, leads to does not depend on lower layers. */
	#requireKnown(directory: DirectoryInode, path: readonly ByteString[]): void {
		if (this.#unknown?.isKnown(directory, baseName(path.at(-1) ?? "")) === false)
			throw new LowerLayersNeeded(path.join("/"));
	}

	#nameOf(path: ByteString): ByteString {
		const name = baseName(path);
		if (name.length > MAX_NAME_BYTES) throw this.#nameTooLong(name, path);
		return name;
	}

	#nameTooLong(name: ByteString, path: ByteString): Oci2isoError {
		return this.#error("NAME_TOO_LONG", `a name of ${name.length} bytes`, path, `at most ${MAX_NAME_BYTES}`);
	}

	#pathTooLong(path: ByteString): Oci2isoError {
		return this.#error("PATH_TOO_LONG", "a path that is too long", path, `at most ${MAX_PATH_BYTES} bytes`);
	}

	#error(code: string, what: string, path: ByteString, expected?: string): Oci2isoError {
		const shown = path.length > 512 ? `${displayName(path.slice(0, 512))}…` : displayName(path);
		return corrupt(code, what, `${this.#origin}, ${shown}`, expected);
	}
}

/** Whether nothing but the change says that its layer has put the inode there: a file names its layer itself. */
function isOwnedByChange(change: LayerChange | undefined): change is LayerChange & { readonly type: "inode" } {
	return change?.type === "inode" && change.inode.type !== "file";
}

function newDirectory(mtime: Timestamp): DirectoryInode {
	return {
		type: "directory",
		mode: CREATED_MODE,
		uid: 0,
		gid: 0,
		mtime,
		xattrs: NO_XATTRS,
		number: 0,
		entries: new Map(),
	};
}
