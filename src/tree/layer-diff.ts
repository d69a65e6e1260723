import type { ByteString } from "../binary/byte-string.ts";
import type { Steps } from "../binary/turns.ts";
import { NO_XATTRS } from "../binary/xattrs.ts";
import type { TarEntry } from "../formats/tar/entry.ts";
import { ChangeApplier } from "./apply.ts";
import type { DeviceInode, DirectoryInode, Timestamp } from "./inode.ts";
import { changeOf, type LayerChange } from "./layer-changes.ts";
import { DEFAULT_MAX_LOOKUP_STEPS } from "./merge.ts";
import type { MetadataBudget } from "./metadata-budget.ts";
import { changeCostBytes, INODE_COST_BYTES } from "./metadata-cost.ts";
import { OPAQUE } from "./overlay-marks.ts";
import { cleanPath } from "./path.ts";
import { PlaceResolver } from "./place.ts";

/** The time of directories that a layer has no entry for: this very object, for `stackingDiff` to find them by. */
export const NO_ENTRY: Timestamp = { seconds: 0, nanoseconds: 0 };

const YES: Uint8Array = Buffer.from("y");

/** What hides a file of lower layers, and is no file itself (Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories"). */
export function newWhiteout(): DeviceInode {
	const attributes = { mode: 0, uid: 0, gid: 0, mtime: NO_ENTRY, xattrs: NO_XATTRS, number: 0 };
	return { type: "character-device", ...attributes, major: 0, minor: 0 };
}

export function makeOpaque(directory: DirectoryInode): void {
	directory.xattrs = new Map([...directory.xattrs, [OPAQUE, YES]]);
}

export function isOpaque({ xattrs }: DirectoryInode): boolean {
	return xattrs.get(OPAQUE)?.[0] === YES[0];
}

/** One layer alone, as the kernel's overlay has it in a directory. Takes the layer's entries, in the archive's order. */
export class LayerDiff {
	readonly #changes: LayerChange[] = [];
	readonly #whiteouts: (LayerChange & { readonly type: "whiteout" | "opaque" })[] = [];
	readonly #number: number;
	readonly #origin: string;
	readonly #budget: MetadataBudget;

	/** Files name their contents by `number`; `origin` names the layer in errors. */
	constructor(number: number, origin: string, budget: MetadataBudget) {
		[this.#number, this.#origin, this.#budget] = [number, origin, budget];
	}

	/** Whether it is a regular file of the tree, unless a later entry takes its place. Throws as `LayerMerge.entry`. */
	entry(entry: TarEntry): boolean {
		const [origin, budget] = [this.#origin, this.#budget];
		budget.countEntries(1, origin);
		const shared = { mtime: budget.shareMtime(entry.mtime), xattrs: budget.shareXattrs(entry.xattrs, origin) };
		const change = changeOf(entry, cleanPath(entry.path), this.#number, shared, origin);
		budget.countMetadata(changeCostBytes(change), origin);
		if (change.type !== "whiteout" && change.type !== "opaque") this.#changes.push(change);
		else if (change.type === "opaque" || !change.isAufs) this.#whiteouts.push(change);
		return change.type === "inode" && change.inode.type === "file";
	}

	/** Throws `Oci2isoError` (corrupt) for what no directory of files can be, hard links to files of other layers among it. In steps. */
	*finishing(): Steps<DirectoryInode> {
		const applier = new ChangeApplier({
			createdParentTime: NO_ENTRY,
			maxCreatedParents: Math.min(this.#budget.entriesLeft, Math.floor(this.#budget.bytesLeft / INODE_COST_BYTES)),
			maxLookupSteps: DEFAULT_MAX_LOOKUP_STEPS,
			forgetsChanges: true,
		});
		const apply = (changes: LayerChange[]): Steps<void> => applier.layer(changes, this.#number, this.#origin);
		yield* apply(this.#changes);
		const places = new PlaceResolver(applier.root, DEFAULT_MAX_LOOKUP_STEPS);
		const directoryAt = (path: ByteString): DirectoryInode | "missing" | undefined => {
			const { deepest, missing } = places.resolve(path, this.#origin);
			if (deepest.type !== "directory") return undefined;
			return missing.length > 0 ? "missing" : deepest;
		};
		for (const whiteout of this.#whiteouts) {
			const { path } = whiteout;
			const parent = directoryAt(path);
			// what is no directory hides all that is below it anyway
			if (parent === undefined) continue;
			if (whiteout.type === "whiteout") {
				const own = parent === "missing" ? undefined : parent.entries.get(whiteout.name);
				if (own?.type === "directory") makeOpaque(own);
				else if (own === undefined) {
					const name = path === "" ? whiteout.name : `${path}/${whiteout.name}`;
					yield* apply([{ type: "inode", path: name, inode: newWhiteout() }]);
				}
			} else {
				const attributes = { mode: 0o755, uid: 0, gid: 0, mtime: NO_ENTRY, xattrs: NO_XATTRS };
				if (parent === "missing") yield* apply([{ type: "directory", path, attributes }]);
				const directory = directoryAt(path);
				if (typeof directory === "object" && !isOpaque(directory)) makeOpaque(directory);
			}
			yield;
		}
		return applier.root;
	}
}
