import type { ByteQueue } from "../../binary/byte-queue.ts";
import { KiB, MiB } from "../../binary/units.ts";
import { decodeLz4Block } from "../../codec/lz4-block.ts";
import type { Damage, Decompressed, Emit } from "./segment.ts";

const MAGIC = 0x184c2102;
const MAGIC_BYTES = 4;
const MAX_CONTENT_BYTES = 8 * MiB;
/** lz4_Block_format.md: no block is longer than its content by more than one byte in 255, and a few. */
const MAX_BLOCK_BYTES = MAX_CONTENT_BYTES + 33 * KiB;

/**
 * lz4_Frame_format.md, "Legacy frame": magic, then blocks of a size and at most 8 MiB of content; it ends with the data or at another magic. Holds one
 * block, of which nothing counts before all of it is decoded.
 */
export async function unlz4Legacy(input: ByteQueue, emit: Emit): Promise<Decompressed | Damage> {
	const output = Buffer.allocUnsafeSlow(MAX_CONTENT_BYTES);
	await input.skip(MAGIC_BYTES);
	for (let isFirst = true; ; isFirst = false) {
		const head = await input.fill(4);
		if (head.byteLength < 4) return {};
		const size = new DataView(head.buffer, head.byteOffset, 4).getUint32(0, true);
		if (size === MAGIC || size === 0) return {};
		// What follows a block and is none: the next segment, or padding that is not a multiple of 4.
		if (input.offset + 4 + size > input.byteLength) return isFirst ? { damage: "it ends within an lz4 block" } : {};
		const broken = { damage: "its lz4 data is broken" };
		if (size > MAX_BLOCK_BYTES) return broken;
		const block = (await input.fill(4 + size)).subarray(4, 4 + size);
		const length = decodeLz4Block(block, output);
		if (length === undefined) return broken;
		emit(output.subarray(0, length));
		input.take(4 + size);
	}
}
