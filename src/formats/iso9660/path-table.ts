import { assert } from "../../errors.ts";

/** One directory in a path table (ECMA-119 9.4). */
interface PathTableRecord {
	/** One zero byte for the root. */
	readonly identifier: Uint8Array;
	readonly extentBlock: number;
	/** Position of the parent in the table, counted from 1; the root is its own parent. */
	readonly parentNumber: number;
}

/** The parent number is 16 bits. */
export const MAX_DIRECTORIES = 0xffff;

const HEAD_BYTES = 8;

export type ByteOrder = "little-endian" | "big-endian";

export function pathTableByteLength(identifierByteLengths: Iterable<number>): number {
	let total = 0;
	for (const length of identifierByteLengths) total += HEAD_BYTES + length + (length % 2);
	return total;
}

/** ECMA-119 6.9: `records` in order of level, parent number and identifier. */
export function encodePathTable(records: readonly PathTableRecord[], order: ByteOrder): Buffer {
	const bytes = Buffer.alloc(pathTableByteLength(records.map((each) => each.identifier.byteLength)));
	const littleEndian = order === "little-endian";
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	let at = 0;
	for (const { identifier, extentBlock, parentNumber } of records) {
		assert(parentNumber <= MAX_DIRECTORIES, "path table parent number beyond 16 bits");
		view.setUint8(at, identifier.byteLength);
		view.setUint32(at + 2, extentBlock, littleEndian);
		view.setUint16(at + 6, parentNumber, littleEndian);
		bytes.set(identifier, at + HEAD_BYTES);
		at += HEAD_BYTES + identifier.byteLength + (identifier.byteLength % 2);
	}
	return bytes;
}

/** The records, or undefined where the table ends within one or holds an empty identifier. */
export function decodePathTable(bytes: Uint8Array, order: ByteOrder): PathTableRecord[] | undefined {
	const littleEndian = order === "little-endian";
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const records: PathTableRecord[] = [];
	let at = 0;
	while (at < bytes.byteLength) {
		if (at + HEAD_BYTES > bytes.byteLength) return undefined;
		const length = view.getUint8(at);
		const end = at + HEAD_BYTES + length;
		if (length === 0 || end > bytes.byteLength) return undefined;
		records.push({
			identifier: Uint8Array.from(bytes.subarray(at + HEAD_BYTES, end)),
			extentBlock: view.getUint32(at + 2, littleEndian),
			parentNumber: view.getUint16(at + 6, littleEndian),
		});
		at = end + (length % 2);
	}
	return records;
}
