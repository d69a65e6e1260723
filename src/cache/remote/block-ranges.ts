import type { PackEntry } from "../pack-format.ts";
import { storedBytes } from "../pack-format.ts";

/** A stretch of a pack's data that is asked for at once, and the blocks in it that are wanted. */
export interface BlockRange {
	/** From the start of the pack's data. */
	readonly start: number;
	readonly end: number;
	readonly blocks: readonly PackEntry[];
}

/**
 * Groups blocks, ascending by offset and apart from each other, into stretches: a gap of at most `maxGapBytes` costs less than a request of its own,
 * and no stretch of several blocks is longer than `maxBytes`.
 */
export function coalesce(
	blocks: readonly PackEntry[],
	{ maxGapBytes, maxBytes }: { readonly maxGapBytes: number; readonly maxBytes: number },
): BlockRange[] {
	const ranges: { start: number; end: number; blocks: PackEntry[] }[] = [];
	for (const block of blocks) {
		const end = block.offset + storedBytes(block);
		const last = ranges.at(-1);
		if (last === undefined || block.offset - last.end > maxGapBytes || end - last.start > maxBytes)
			ranges.push({ start: block.offset, end, blocks: [block] });
		else {
			last.blocks.push(block);
			last.end = end;
		}
	}
	return ranges;
}
