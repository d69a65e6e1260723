import type { FragmentRule } from "./fragment-rule.ts";

/** How a root file system wants contents placed in its image. */
export interface Placement {
	/** Content of a full block: a power of two. */
	readonly blockBytes: number;
	/** Where the first block may be, in bytes from the image's beginning. */
	readonly start: number;
	/** Zeros fill up every block, so that the next one begins at a multiple of this power of two; and the content of one that tails share, too. */
	readonly alignment: number;
	/** Where the zeros of a compressed block go; those of another one are behind it. */
	readonly padding: "before" | "behind";
	readonly fragmentRule: FragmentRule;
	/** Blocks of all files together, holes included: bounds what a sparse file of a hostile image can cost (4 bytes each). */
	readonly maxBlocks: number;
}

/** What a reader has to know of it. */
export type Alignment = Pick<Placement, "alignment" | "padding">;

export const UNALIGNED: Alignment = { alignment: 1, padding: "behind" };
