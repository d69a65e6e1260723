import { GiB, ISO_BLOCK_BYTES, MAX_U32 } from "../../binary/units.ts";

/** Consecutive blocks of a file. */
export interface Extent {
	readonly block: number;
	readonly byteLength: number;
}

/** The longest extent that is not the last of its file, as xorriso cuts: the last whole block below 4 GiB. */
export const MAX_FILE_SECTION_BYTES = 4 * GiB - ISO_BLOCK_BYTES;

/** Extents of a contiguous body (ECMA-119 6.5.1); always one or more. A body of less than 4 GiB is one extent. */
export function extentsOf(block: number, byteLength: number): Extent[] {
	if (byteLength <= MAX_U32) return [{ block, byteLength }];
	const extents: Extent[] = [];
	for (let done = 0; done < byteLength; done += MAX_FILE_SECTION_BYTES)
		extents.push({
			block: block + done / ISO_BLOCK_BYTES,
			byteLength: Math.min(MAX_FILE_SECTION_BYTES, byteLength - done),
		});
	return extents;
}
