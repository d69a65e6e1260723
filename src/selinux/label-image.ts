import { displayName } from "../binary/byte-string.ts";
import { inTurns } from "../binary/turns.ts";
import { Oci2isoError } from "../errors.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { DirectoryInode, FileInode } from "../tree/inode.ts";
import type { SelinuxChoice } from "./choice.ts";
import { countLabels, hasLabels, type LabelCounts, labelling } from "./label-tree.ts";
import type { LibraryRules } from "./library.ts";
import { configFile, hasPolicy, policyFiles, readPolicy, readSelinuxConfig, type SelinuxPolicy } from "./policy.ts";

/** What the image's policy gave to its inodes. */
export interface Labels extends Omit<LabelCounts, "notes"> {
	readonly policy: string;
	/** Whose way of choosing between specifications. */
	readonly library: LibraryRules;
}

interface LabelOptions {
	readonly choice: SelinuxChoice | undefined;
	/** Before anything was left out. */
	readonly tree: ImageTree;
	/** What is labelled. */
	readonly kept: DirectoryInode;
	/** Labels were asked to be left out, by a pattern. */
	readonly dropsLabels: boolean;
	/** Told of files that `tree` will be asked for. */
	fetch(files: readonly FileInode[]): Promise<void>;
	readonly signal?: AbortSignal | undefined;
}

/** Whether `labelImage` will read contents. */
export function mayLabel(choice: SelinuxChoice | undefined, tree: Pick<ImageTree, "lookup">): boolean {
	return choice === "policy" || ((choice ?? "auto") === "auto" && hasPolicy(tree));
}

/**
 * Labels the inodes of a settled tree, where that is asked for (default `auto`); `labels` is undefined where nothing was. `off` is for who drops attributes. Throws `Oci2isoError` SELINUX_POLICY_MISSING
 * (exit 3), and with `policy` as `readPolicy` does; with both SELINUX_POLICY_TOO_SLOW (exit 5).
 */
export async function labelImage(
	options: LabelOptions,
): Promise<{ labels: Labels | undefined; notes: readonly string[] }> {
	const { choice = "auto", tree, kept, dropsLabels, fetch, signal } = options;
	const none = (...notes: string[]) => ({ labels: undefined, notes });
	if (!mayLabel(choice, tree)) return none();
	if (choice === "auto") {
		if (dropsLabels) return none();
		if (await inTurns(hasLabels(kept), signal)) {
			const { labelled, inodes } = await inTurns(countLabels(kept), signal);
			return none(
				`SELinux labels are those that layers carry, ${labelled} of ${inodes} inodes have one; --selinux policy takes the policy's`,
			);
		}
	}
	await fetch([configFile(tree)].flatMap((file) => file ?? []));
	const config = await readSelinuxConfig(tree);
	await fetch(policyFiles(tree, config));
	let policy: SelinuxPolicy | undefined;
	try {
		policy = await readPolicy(tree, config);
	} catch (error) {
		if (choice === "policy" || !(error instanceof Oci2isoError) || !error.code.startsWith("SELINUX_")) throw error;
		return none(`there are no SELinux labels: ${error.what} (${error.where ?? "its policy"})`);
	}
	if (policy === undefined) {
		const missing = policyMissing(config.type);
		if (choice === "policy") throw missing;
		return none(`there are no SELinux labels: ${missing.what} (${missing.where})`);
	}
	const { notes, ...counts } = await inTurns(labelling(kept, policy), signal);
	const { labelled, withoutLabel, unmatched } = counts;
	const { name, library } = policy;
	return {
		labels: { policy: name, library, ...counts },
		notes: [
			`SELinux labels are those of the image's policy ${name}, as libselinux ${library} chooses: ${labelled} inodes have one, for ${withoutLabel} names it wants none, ${unmatched} it does not know`,
			...notes,
		],
	};
}

/** SELINUX_POLICY_MISSING (exit 3). */
export function policyMissing(type: string): Oci2isoError {
	return new Oci2isoError({
		code: "SELINUX_POLICY_MISSING",
		kind: "contract",
		what: `the image does not have the SELinux policy ${displayName(type)}`,
		where: "/etc/selinux/config",
		expected: `/etc/selinux/${displayName(type)}/contexts/files/file_contexts`,
		remedy: "install the policy, or build with --selinux image",
	});
}
