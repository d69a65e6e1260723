import type { ByteString } from "../binary/byte-string.ts";
import { elementAt } from "../binary/element-at.ts";
import type { Steps } from "../binary/turns.ts";
import { GiB, MiB } from "../binary/units.ts";
import { NO_XATTRS } from "../binary/xattrs.ts";
import { assert, Oci2isoError } from "../errors.ts";
import type { TarEntry } from "../formats/tar/entry.ts";
import { ChangeApplier } from "./apply.ts";
import type { DirectoryInode, Timestamp } from "./inode.ts";
import { changeOf, type LayerChange } from "./layer-changes.ts";
import { changeCostBytes, INODE_COST_BYTES, xattrsCostBytes } from "./metadata-cost.ts";
import { OverlayMarks } from "./overlay-marks.ts";
import { cleanPath } from "./path.ts";
import { Shadow } from "./shadow.ts";

export interface TreeMergerOptions {
	/** Number of layers, at least 0. */
	readonly layerCount: number;
	/** Most entries of all layers together, whiteouts and directories that no entry names included; default 4 000 000. */
	readonly maxInodes?: number | undefined;
	/** Most memory for names, attributes and inodes, by an estimate from above; default 2 GiB. */
	readonly maxMetadataBytes?: number | undefined;
	/** Modification time of directories that no layer has an entry for, the root included; default 1970-01-01. */
	readonly createdParentTime?: Timestamp;
	/**
	 * Most path components looked up and names visited by whiteouts; default 200 000 000. An image of a million files needs some
	 * 10 000 000, one that is made to stall a build needs any number.
	 */
	readonly maxLookupSteps?: number;
}

/** One layer while it is read. */
interface LayerMerge {
	/**
	 * Takes the layer's next entry and says whether a file's content should be kept. "skip" is a guess that the settled tree may
	 * disprove, after which the layer has to be read again; entries that are not regular files are always "skip".
	 * Throws `Oci2isoError` (kind corrupt) for entries that no tree can hold, TOO_MANY_ENTRIES and TREE_TOO_LARGE.
	 */
	entry(entry: TarEntry): "store" | "skip";
	/** Says that the layer is complete. In steps. */
	finishing(): Steps<void>;
}

/** The image's file tree, exactly as its layers make it. */
export interface MergedTree {
	readonly root: DirectoryInode;
	/** What the specification leaves open and was chosen, in sentences for people. */
	readonly notes: readonly string[];
}

/** Four times a system of a million files; a settled tree of so many takes about 2 GiB. */
const DEFAULT_MAX_INODES = 4_000_000;
const DEFAULT_MAX_METADATA_BYTES = 2 * GiB;
const DEFAULT_MAX_LOOKUP_STEPS = 200_000_000;
const EPOCH: Timestamp = { seconds: 0, nanoseconds: 0 };

/**
 * Merges layers into one tree. Layers are given from the **top down**, so that files which an upper layer hides need not be kept;
 * the tree itself is settled from the bottom up after the last one.
 */
export class TreeMerger {
	readonly #layers: (LayerChange[] | undefined)[];
	readonly #origins: string[];
	readonly #shadow = new Shadow();
	readonly #maxInodes: number;
	readonly #maxMetadataBytes: number;
	#metadataBytes = 0;
	readonly #createdParentTime: Timestamp;
	readonly #maxLookupSteps: number;
	#lastMtime: Timestamp = EPOCH;
	readonly #overlayMarks = new OverlayMarks();
	readonly #xattrs = new Map<string, ReadonlyMap<ByteString, Uint8Array>>();
	#nextLayer: number;
	#isLayerOpen = false;
	#isSettled = false;
	#entryCount = 0;
	#hasRoot = false;
	#startsAfresh = false;

	constructor(options: TreeMergerOptions) {
		this.#layers = Array.from({ length: options.layerCount });
		this.#origins = [];
		this.#nextLayer = options.layerCount - 1;
		this.#maxInodes = options.maxInodes ?? DEFAULT_MAX_INODES;
		this.#maxMetadataBytes = options.maxMetadataBytes ?? DEFAULT_MAX_METADATA_BYTES;
		this.#createdParentTime = options.createdParentTime ?? EPOCH;
		this.#maxLookupSteps = options.maxLookupSteps ?? DEFAULT_MAX_LOOKUP_STEPS;
	}

	/**
	 * Begins a layer; `index` counts from the bottom, and the first call is for the top layer. `origin` names it in errors (its
	 * digest).
	 */
	layer(index: number, origin = `layer ${index}`): LayerMerge {
		assert(index === this.#nextLayer && !this.#isLayerOpen, "layers come from the top down, one at a time");
		const changes: LayerChange[] = [];
		this.#layers[index] = changes;
		this.#origins[index] = origin;
		this.#isLayerOpen = true;
		const shadow = this.#shadow;
		const close = (): void => {
			this.#isLayerOpen = false;
			this.#nextLayer--;
			this.#hasRoot ||= changes.some(isRootDirectory);
		};
		const finishing = function* (): Steps<void> {
			close();
			if (index > 0) yield* shadow.addingLayer(changes);
		};
		return {
			entry: (entry) => {
				const path = cleanPath(entry.path);
				this.#countEntries(1, origin);
				const { xattrs, isWhiteout, isOpaque } = this.#overlayMarks.take(entry, path);
				const shared = { mtime: this.#shareMtime(entry.mtime), xattrs: this.#shareXattrs(xattrs, origin) };
				const marked = changeOf(entry, path, index, shared, origin);
				const change: LayerChange = isWhiteout ? { type: "removal", path } : marked;
				this.#countMetadata(changeCostBytes(change), origin);
				if (change.type === "opaque" && change.path === "") this.#startsAfresh ||= changes.every(isRootDirectory);
				changes.push(change);
				if (isOpaque) {
					const opaque: LayerChange = { type: "opaque", path };
					this.#countMetadata(changeCostBytes(opaque), origin);
					changes.push(opaque);
				}
				const isFile = change.type === "inode" && change.inode.type === "file";
				return isFile && !this.#shadow.hides(path) ? "store" : "skip";
			},
			finishing,
		};
	}

	/** Takes the place of `layer` for one that is the same archive as the layer `above`, which was read already; its contents are those. */
	repeat(index: number, above: number): void {
		assert(index === this.#nextLayer && !this.#isLayerOpen, "layers come from the top down, one at a time");
		const changes = this.#layers[above];
		assert(changes !== undefined && above > index, `layer ${above} was read`);
		const origin = elementAt(this.#origins, above);
		this.#countEntries(changes.length, origin);
		for (const change of changes) this.#countMetadata(changeCostBytes(change), origin);
		// Inodes of their own: a hard link to one copy of a file is no link to the other.
		this.#layers[index] = changes.map((change) =>
			change.type === "inode" ? { ...change, inode: { ...change.inode } } : change,
		);
		this.#origins[index] = origin;
		this.#nextLayer--;
	}

	/**
	 * True when no layer below those read can change anything: one of them empties the root before it does anything else, and the root's own
	 * attributes are known. `skipRest` then takes the place of the layers that are left.
	 */
	get decidesAllBelow(): boolean {
		return this.#startsAfresh && this.#hasRoot && this.#nextLayer >= 0;
	}

	skipRest(): void {
		assert(this.decidesAllBelow && !this.#isLayerOpen, "only layers that decide nothing are skipped");
		for (; this.#nextLayer >= 0; this.#nextLayer--) {
			this.#layers[this.#nextLayer] = [];
			this.#origins[this.#nextLayer] = `layer ${this.#nextLayer}`;
		}
	}

	/**
	 * The tree as far as the layers read so far decide it: asking it for anything else throws `LowerLayersNeeded`, as this does where they depend on
	 * those below. What it answers is what the whole tree will. In steps.
	 */
	*growingUpperTree(): Steps<DirectoryInode> {
		assert(!this.#isLayerOpen && !this.#isSettled, "between layers, before the tree is settled");
		const applier = new ChangeApplier({
			createdParentTime: this.#createdParentTime,
			maxCreatedParents: this.#maxInodes - this.#entryCount,
			maxLookupSteps: this.#maxLookupSteps,
			onUnknownBase: this.#nextLayer >= 0,
		});
		for (const [index, changes] of this.#layers.entries())
			if (changes !== undefined) yield* applier.layer(changes, index, elementAt(this.#origins, index));
		return applier.guardedRoot;
	}

	/** The tree of all layers; once, after the last layer. Throws `Oci2isoError` where a layer does not fit what is below it. In steps. */
	*settling(): Steps<MergedTree> {
		assert(this.#nextLayer === -1 && !this.#isSettled, "every layer was read, and the tree is settled once");
		this.#isSettled = true;
		const applier = new ChangeApplier({
			createdParentTime: this.#createdParentTime,
			maxCreatedParents: Math.min(
				this.#maxInodes - this.#entryCount,
				Math.floor((this.#maxMetadataBytes - this.#metadataBytes) / INODE_COST_BYTES),
			),
			maxLookupSteps: this.#maxLookupSteps,
			forgetsChanges: true,
		});
		for (const [index, changes] of this.#layers.entries()) {
			assert(changes !== undefined, `layer ${index} was read`);
			this.#layers[index] = undefined;
			yield* applier.layer(changes, index, elementAt(this.#origins, index));
		}
		const { root } = applier;
		return {
			root,
			notes: [...applier.notes, ...this.#overlayMarks.notes],
		};
	}

	#countEntries(entries: number, origin: string): void {
		this.#entryCount += entries;
		if (this.#entryCount > this.#maxInodes)
			throw new Oci2isoError({
				code: "TOO_MANY_ENTRIES",
				kind: "corrupt",
				what: "the layers have too many entries",
				where: origin,
				expected: `at most ${this.#maxInodes} of all layers together`,
				remedy: "for an image that you trust, say --max-inodes N",
			});
	}

	#countMetadata(bytes: number, origin: string): void {
		this.#metadataBytes += bytes;
		if (this.#metadataBytes > this.#maxMetadataBytes)
			throw new Oci2isoError({
				code: "TREE_TOO_LARGE",
				kind: "corrupt",
				what: "names and attributes of the image's files do not fit into memory",
				where: origin,
				expected: `at most ${Math.floor(this.#maxMetadataBytes / MiB)} MiB`,
				remedy: "for an image that you trust, set NODE_OPTIONS=--max-old-space-size=MIB to more",
			});
	}

	/** Neighbours in an archive often have the same time. */
	#shareMtime(mtime: Timestamp): Timestamp {
		const last = this.#lastMtime;
		if (last.seconds === mtime.seconds && last.nanoseconds === mtime.nanoseconds) return last;
		this.#lastMtime = mtime;
		return mtime;
	}

	/** Files with equal attributes (one SELinux label on thousands of them) share one map. */
	#shareXattrs(xattrs: ReadonlyMap<ByteString, Uint8Array>, origin: string): ReadonlyMap<ByteString, Uint8Array> {
		if (xattrs.size === 0) return NO_XATTRS;
		const key = [...xattrs]
			.map(([name, value]) => `${name}\0${value.byteLength}\0${Buffer.from(value).toString("latin1")}`)
			.join("");
		const shared = this.#xattrs.get(key);
		if (shared !== undefined) return shared;
		this.#countMetadata(xattrsCostBytes(xattrs), origin);
		this.#xattrs.set(key, xattrs);
		return xattrs;
	}
}

function isRootDirectory(change: LayerChange): boolean {
	return change.type === "directory" && change.path === "";
}
