import { elementAt } from "../binary/element-at.ts";
import type { Steps } from "../binary/turns.ts";
import { assert } from "../errors.ts";
import type { TarEntry } from "../formats/tar/entry.ts";
import { ChangeApplier } from "./apply.ts";
import type { DirectoryInode, Timestamp } from "./inode.ts";
import { changeOf, type LayerChange } from "./layer-changes.ts";
import { MetadataBudget, type MetadataLimits } from "./metadata-budget.ts";
import { changeCostBytes, INODE_COST_BYTES } from "./metadata-cost.ts";
import { OverlayMarks } from "./overlay-marks.ts";
import { cleanPath } from "./path.ts";
import { Shadow } from "./shadow.ts";

export interface TreeMergerOptions extends MetadataLimits {
	/** Number of layers, at least 0. */
	readonly layerCount: number;
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

export const DEFAULT_MAX_LOOKUP_STEPS = 200_000_000;
const EPOCH: Timestamp = { seconds: 0, nanoseconds: 0 };

/**
 * Merges layers into one tree. Layers are given from the **top down**, so that files which an upper layer hides need not be kept;
 * the tree itself is settled from the bottom up after the last one.
 */
export class TreeMerger {
	readonly #layers: (LayerChange[] | undefined)[];
	readonly #origins: string[];
	readonly #shadow = new Shadow();
	readonly #budget: MetadataBudget;
	readonly #createdParentTime: Timestamp;
	readonly #maxLookupSteps: number;
	readonly #overlayMarks = new OverlayMarks();
	#nextLayer: number;
	#isLayerOpen = false;
	#isSettled = false;
	#hasRoot = false;
	#startsAfresh = false;

	constructor(options: TreeMergerOptions) {
		this.#layers = Array.from({ length: options.layerCount });
		this.#origins = [];
		this.#nextLayer = options.layerCount - 1;
		this.#budget = new MetadataBudget(options);
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
				this.#budget.countEntries(1, origin);
				const { xattrs, isWhiteout, isOpaque } = this.#overlayMarks.take(entry, path);
				const shared = {
					mtime: this.#budget.shareMtime(entry.mtime),
					xattrs: this.#budget.shareXattrs(xattrs, origin),
				};
				const marked = changeOf(entry, path, index, shared, origin);
				const change: LayerChange = isWhiteout ? { type: "removal", path } : marked;
				this.#budget.countMetadata(changeCostBytes(change), origin);
				if (change.type === "opaque" && change.path === "") this.#startsAfresh ||= changes.every(isRootDirectory);
				changes.push(change);
				if (isOpaque) {
					const opaque: LayerChange = { type: "opaque", path };
					this.#budget.countMetadata(changeCostBytes(opaque), origin);
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
		this.#budget.countEntries(changes.length, origin);
		for (const change of changes) this.#budget.countMetadata(changeCostBytes(change), origin);
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
			maxCreatedParents: this.#budget.entriesLeft,
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
			maxCreatedParents: Math.min(this.#budget.entriesLeft, Math.floor(this.#budget.bytesLeft / INODE_COST_BYTES)),
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
}

function isRootDirectory(change: LayerChange): boolean {
	return change.type === "directory" && change.path === "";
}
