import type { Steps } from "../../binary/turns.ts";
import type { BlockCompressor } from "../../codec/types.ts";
import { METADATA_BLOCK_BYTES } from "./constants.ts";
import { MetadataWriter } from "./metadata-writer.ts";

/** Strictly forward writing, at a position that its users share. */
export interface Cursor {
	readonly position: number;
	write(bytes: Uint8Array): void;
}

/**
 * Writes a lookup table (2.3), a block a step: the records in metadata blocks, then `beforePositions`, then the absolute position of each block.
 * Returns where `beforePositions` begins, which is what the superblock names.
 */
export function* writeLookupTable(
	out: Cursor,
	compressor: Pick<BlockCompressor, "compressNow">,
	records: Uint8Array,
	beforePositions: Uint8Array = new Uint8Array(0),
): Steps<number> {
	const metadata = new MetadataWriter(compressor, (bytes) => out.write(bytes));
	const blockCount = Math.ceil(records.byteLength / METADATA_BLOCK_BYTES);
	const positions = Buffer.alloc(8 * blockCount);
	for (let i = 0; i < blockCount; i++) {
		positions.writeBigUInt64LE(BigInt(out.position), 8 * i);
		metadata.write(records.subarray(i * METADATA_BLOCK_BYTES, (i + 1) * METADATA_BLOCK_BYTES));
		yield;
	}
	metadata.finish();
	const start = out.position;
	out.write(beforePositions);
	out.write(positions);
	return start;
}
