/**
 * Which contents share blocks, which squashfs calls fragments: none, whole files below one block, or the last, short block of every file. A shared block
 * holds as much as any other.
 */
export const FRAGMENT_RULES = ["small-files", "none", "all-tails"] as const;
export type FragmentRule = (typeof FRAGMENT_RULES)[number];

/** As mksquashfs does where it is not told otherwise. */
export const DEFAULT_FRAGMENT_RULE: FragmentRule = "small-files";

/** Whether the bytes behind a file's last full block go into a shared one. */
export function hasTail(rule: FragmentRule, byteLength: number, blockBytes: number): boolean {
	if (byteLength % blockBytes === 0 || rule === "none") return false;
	return rule === "all-tails" || byteLength < blockBytes;
}
