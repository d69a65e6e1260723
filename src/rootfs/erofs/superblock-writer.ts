import { crc32c } from "../../binary/crc32c.ts";
import { alignUp } from "../../binary/units.ts";
import type { BlockCompressor, CodecName } from "../../codec/types.ts";
import { assert } from "../../errors.ts";
import { ALGORITHM, BLOCK_BYTES, SUPERBLOCK_BYTES, SUPERBLOCK_OFFSET } from "./constants.ts";
import { SUPERBLOCK, type Superblock } from "./records.ts";

const CONFIGURATION_ALIGNMENT = 4;
const LZ4_MAX_DISTANCE = 65_535;
const ZSTD_MIN_WINDOW_LOG2 = 10;
const DEFLATE_WINDOW_BITS = 15;

/** The number of a codec's algorithm; undefined where EROFS has none, or this program does not write it. */
export function algorithmOf(codec: CodecName): number | undefined {
	switch (codec) {
		case "lz4":
			return ALGORITHM.lz4;
		case "zstd":
			return ALGORITHM.zstd;
		case "gzip":
			return ALGORITHM.deflate;
		case "xz":
		case "none":
			return undefined;
	}
}

/** The first block of the image, with its checksum. */
export function encodeFirstBlock(
	superblock: Omit<Superblock, "checksum">,
	{ codec }: Pick<BlockCompressor, "codec">,
	blockBytes: number,
): Buffer {
	const block = Buffer.alloc(BLOCK_BYTES);
	const configuration = configurationOf(codec, blockBytes);
	if (configuration !== undefined) {
		const at = SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES;
		block.writeUInt16LE(configuration.byteLength, at);
		block.set(configuration, at + 2);
		assert(alignUp(at, CONFIGURATION_ALIGNMENT) === at, "configurations follow the superblock");
	}
	block.set(SUPERBLOCK.encode({ ...superblock, checksum: 0 }), SUPERBLOCK_OFFSET);
	const checksum = crc32c(block.subarray(SUPERBLOCK_OFFSET));
	block.set(SUPERBLOCK.encode({ ...superblock, checksum }), SUPERBLOCK_OFFSET);
	return block;
}

/** `struct z_erofs_lz4_cfgs` and its like. */
function configurationOf(codec: CodecName, blockBytes: number): Buffer | undefined {
	const blockLog2 = Math.log2(blockBytes);
	switch (codec) {
		case "lz4": {
			const bytes = Buffer.alloc(14);
			bytes.writeUInt16LE(LZ4_MAX_DISTANCE);
			bytes.writeUInt16LE(blockBytes / BLOCK_BYTES, 2);
			return bytes;
		}
		// a format that is 0, and the window
		case "zstd":
			return Buffer.from([0, blockLog2 - ZSTD_MIN_WINDOW_LOG2, 0, 0, 0, 0]);
		case "gzip":
			return Buffer.from([DEFLATE_WINDOW_BITS, 0, 0, 0, 0, 0]);
		case "xz":
		case "none":
			return undefined;
	}
}
