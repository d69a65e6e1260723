import type { ByteSource } from "../../binary/byte-source.ts";
import { ISO_BLOCK_BYTES } from "../../binary/units.ts";
import { FIRST_DESCRIPTOR_BLOCK } from "./finish-volume.ts";
import { descriptorHead, STANDARD_IDENTIFIER } from "./volume-descriptor.ts";

/** Media have two to five. */
const LOOKED_AT = 8;

/** Whether any volume descriptor is where ECMA-119 (6.7.1) has them, so that what has none can be told from an ISO with damage. Rejects as `source.read`. */
export async function isIso9660(source: ByteSource): Promise<boolean> {
	const start = FIRST_DESCRIPTOR_BLOCK * ISO_BLOCK_BYTES;
	const blocks = Math.min(LOOKED_AT, Math.floor((source.byteLength - start) / ISO_BLOCK_BYTES));
	if (blocks < 1) return false;
	const bytes = await source.read(start, blocks * ISO_BLOCK_BYTES);
	return Array.from({ length: blocks }, (_, i) => bytes.subarray(i * ISO_BLOCK_BYTES)).some(
		(block) => descriptorHead.decode(block).standardIdentifier === STANDARD_IDENTIFIER,
	);
}
