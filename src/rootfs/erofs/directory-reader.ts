import { type ByteString, byteStringOf, displayName } from "../../binary/byte-string.ts";
import { corrupt, type Oci2isoError } from "../../errors.ts";
import { MAX_NAME_BYTES } from "../../tree/path.ts";
import { DIRECTORY_ENTRY } from "./records.ts";

export interface ReadEntry {
	/** May be "." or "..". */
	readonly name: ByteString;
	/** An `ENTRY_TYPE` */
	readonly type: number;
	readonly number: number;
}

/**
 * The entries of a directory's content in order. Throws `Oci2isoError` CORRUPT_METADATA, also for names that are not in strictly ascending byte order,
 * because Linux would not find those.
 */
export function* readDirectory(content: Uint8Array, blockBytes: number, where: string): Generator<ReadEntry> {
	let previous = "";
	for (let start = 0; start < content.byteLength; start += blockBytes)
		for (const entry of readBlock(content.subarray(start, start + blockBytes), where)) {
			const { name } = entry;
			if (/[/\0]/.test(name)) throw corrupt("CORRUPT_METADATA", `"${displayName(name)}" cannot be a file name`, where);
			if (previous >= name)
				throw corrupt("CORRUPT_METADATA", `"${displayName(name)}" follows "${displayName(previous)}"`, where);
			previous = name;
			yield entry;
		}
}

function* readBlock(block: Uint8Array, where: string): Generator<ReadEntry> {
	const wrong = (what: string): Oci2isoError =>
		corrupt("CORRUPT_METADATA", `a block of a directory is wrong: ${what}`, where);
	const recordBytes = DIRECTORY_ENTRY.byteLength;
	if (block.byteLength < recordBytes) throw wrong(`it has ${block.byteLength} bytes`);
	const namesAt = DIRECTORY_ENTRY.decode(block).nameOffset;
	if (namesAt < recordBytes || namesAt % recordBytes !== 0 || namesAt > block.byteLength)
		throw wrong(`its names are at ${namesAt}`);
	let nameAt = namesAt;
	for (let at = 0; at < namesAt; at += recordBytes) {
		const { inodeNumber, type } = DIRECTORY_ENTRY.decode(block, at);
		const isLast = at + recordBytes === namesAt;
		const end = isLast ? endOfLast(block, nameAt) : DIRECTORY_ENTRY.decode(block, at + recordBytes).nameOffset;
		const byteLength = end - nameAt;
		if (byteLength <= 0 || byteLength > MAX_NAME_BYTES || end > block.byteLength)
			throw wrong(`a name has ${byteLength} bytes, at ${nameAt}`);
		if (inodeNumber > BigInt(Number.MAX_SAFE_INTEGER)) throw wrong(`an entry leads to inode ${inodeNumber}`);
		yield { name: byteStringOf(block.subarray(nameAt, end)), type, number: Number(inodeNumber) };
		nameAt = end;
	}
}

/** Zeros fill a block behind its last name. */
function endOfLast(block: Uint8Array, start: number): number {
	const zero = block.indexOf(0, start);
	return zero < 0 ? block.byteLength : zero;
}
