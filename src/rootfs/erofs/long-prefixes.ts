import { type ByteString, byteStringOf } from "../../binary/byte-string.ts";
import { alignUp } from "../../binary/units.ts";
import { corrupt } from "../../errors.ts";
import { COMPATIBLE, XATTR_PREFIXES } from "./constants.ts";
import type { ErofsContents } from "./erofs-contents.ts";
import type { PackedFile } from "./packed-file.ts";
import type { Volume } from "./volume.ts";

const UNIT_BYTES = 4;
const LENGTH_BYTES = 2;
const MAX_PREFIX_BYTES = 256;

/**
 * The prefixes of attributes' names that an image has for itself: records of a length in 16 bits, the number of a base prefix and the rest, in the packed inode
 * where there is one and no mark says otherwise. Throws `Oci2isoError` CORRUPT_METADATA.
 */
export async function readLongPrefixes(
	{ superblock, packedNumber, image }: Volume,
	packed: PackedFile,
	contents: ErofsContents,
): Promise<ByteString[]> {
	const { xattrPrefixCount, xattrPrefixStart, compatible } = superblock;
	const isPlain = packedNumber === undefined || (compatible & COMPATIBLE.plainXattrPrefixes) !== 0;
	const read = async (position: number, length: number): Promise<Buffer> => {
		if (isPlain) return Buffer.from(await image.read(position, length));
		const parts: Uint8Array[] = [];
		for await (const part of packed.range(position, length, (extent, at) => contents.content(extent, at)))
			parts.push(typeof part === "number" ? Buffer.alloc(part) : Buffer.from(part));
		return Buffer.concat(parts);
	};
	const prefixes: ByteString[] = [];
	let at = xattrPrefixStart * UNIT_BYTES;
	for (let i = 0; i < xattrPrefixCount; i++) {
		at = alignUp(at, UNIT_BYTES);
		const length = (await read(at, LENGTH_BYTES)).readUInt16LE();
		if (length === 0 || length > MAX_PREFIX_BYTES)
			throw corrupt("CORRUPT_METADATA", `prefix ${i} of attributes' names has ${length} bytes`);
		const record = await read(at + LENGTH_BYTES, length);
		const base = XATTR_PREFIXES[record[0] as keyof typeof XATTR_PREFIXES];
		if (base === undefined)
			throw corrupt("CORRUPT_METADATA", `prefix ${i} of attributes' names has the base ${record[0]}`);
		prefixes.push(base + byteStringOf(record.subarray(1)));
		at += LENGTH_BYTES + length;
	}
	return prefixes;
}
