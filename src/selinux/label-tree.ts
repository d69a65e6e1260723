import { type ByteString, bytesOf, displayPath } from "../binary/byte-string.ts";
import type { Steps } from "../binary/turns.ts";
import type { Xattrs } from "../binary/xattrs.ts";
import type { DirectoryInode, Inode } from "../tree/inode.ts";
import { inodesBelow, walk } from "../tree/walk.ts";
import { LABEL_XATTR } from "./choice.ts";
import type { SelinuxPolicy } from "./policy.ts";
import { policyTooLarge } from "./specifications.ts";

const CONFLICTS_TOLD = 10;
/** Different sets of attributes with a label: each takes memory, and a system has some thousand. */
const MAX_SETS = 500_000;

/** What labelling did, by inode. */
export interface LabelCounts {
	readonly labelled: number;
	/** Names that the policy wants no label for (`<<none>>`); their inodes keep what layers say. */
	readonly withoutLabel: number;
	/** Names of which the policy says nothing. */
	readonly unmatched: number;
	/** Further names of hard-linked inodes for which the policy wants another label than for the first. */
	readonly conflicts: number;
	/** In sentences, the first of these. */
	readonly notes: readonly string[];
}

/** Whether an inode of the tree has a label. An inode a step. */
export function* hasLabels(root: DirectoryInode): Steps<boolean> {
	for (const { xattrs } of everyInode(root)) {
		if (xattrs.has(LABEL_XATTR)) return true;
		yield;
	}
	return false;
}

function* everyInode(root: DirectoryInode): Generator<Inode> {
	yield root;
	yield* inodesBelow(root);
}

/** How many inodes have a label, of how many. An inode a step. */
export function* countLabels(root: DirectoryInode): Steps<{ readonly labelled: number; readonly inodes: number }> {
	const [seen, labelled] = [new Set<Inode>(), new Set<Inode>()];
	for (const inode of everyInode(root)) {
		seen.add(inode);
		if (inode.xattrs.has(LABEL_XATTR)) labelled.add(inode);
		yield;
	}
	return { labelled: labelled.size, inodes: seen.size };
}

/**
 * Gives every inode the label that the policy has for it, as setfiles(8) does: the context with a NUL behind it. Of several names of one inode, the first in the tree's order that
 * the policy has a label for decides. A name a step. Throws as `SelinuxPolicy.labelFor`, and `Oci2isoError` SELINUX_POLICY_TOO_LARGE (exit 5).
 */
export function* labelling(root: DirectoryInode, policy: SelinuxPolicy): Steps<LabelCounts> {
	const maps = new LabelledXattrs();
	const notes: string[] = [];
	let [labelled, withoutLabel, unmatched, conflicts] = [0, 0, 0, 0];
	for (const { path, inode } of walk(root)) {
		yield;
		const chosen = policy.labelFor(`/${path}`, inode.type);
		if (chosen === undefined) unmatched++;
		else if (chosen.context === undefined) withoutLabel++;
		else if (!maps.has(inode.xattrs)) {
			inode.xattrs = maps.with(inode.xattrs, chosen.context);
			labelled++;
		} else if (maps.labelOf(inode.xattrs) !== chosen.context && ++conflicts <= CONFLICTS_TOLD)
			notes.push(
				`/${displayPath(path)} has the label of another name of its inode, ${maps.labelOf(inode.xattrs)}, where the policy has ${chosen.context} for it`,
			);
	}
	if (conflicts > CONFLICTS_TOLD) notes.push(`so have ${conflicts - CONFLICTS_TOLD} more names of hard-linked inodes`);
	return { labelled, withoutLabel, unmatched, conflicts, notes };
}

/** Inodes with equal attributes share one map, before and after. */
class LabelledXattrs {
	readonly #labels = new Map<Xattrs, ByteString>();
	readonly #made = new Map<Xattrs, Map<ByteString, Xattrs>>();
	readonly #values = new Map<ByteString, Uint8Array>();

	has(xattrs: Xattrs): boolean {
		return this.#labels.has(xattrs);
	}

	labelOf(xattrs: Xattrs): ByteString | undefined {
		return this.#labels.get(xattrs);
	}

	with(xattrs: Xattrs, label: ByteString): Xattrs {
		const byLabel = this.#made.get(xattrs) ?? new Map<ByteString, Xattrs>();
		this.#made.set(xattrs, byLabel);
		const known = byLabel.get(label);
		if (known !== undefined) return known;
		const value = this.#values.get(label) ?? bytesOf(`${label}\0`);
		this.#values.set(label, value);
		const made = new Map(xattrs).set(LABEL_XATTR, value);
		byLabel.set(label, made);
		if (this.#labels.size >= MAX_SETS)
			throw policyTooLarge(`it gives inodes more than ${MAX_SETS} different sets of attributes`);
		this.#labels.set(made, label);
		return made;
	}
}
