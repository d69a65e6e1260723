import { from1, type RecordType, record, type ValuesOf } from "../../binary/record.ts";
import { recordingDate } from "./dates.ts";

/** The part of a directory record before the file identifier (ECMA-119 9.1). */
const fields = {
	/** Bytes of the whole record, even, at most 254 in a directory of ours. */
	recordByteLength: from1.u8(1),
	extendedAttributeBlocks: from1.u8(2),
	/** First block of the extent. */
	extentBlock: from1.u32both(3),
	/** Length of the extent in bytes. */
	dataByteLength: from1.u32both(11),
	recordedAtSeconds: recordingDate(19),
	/** See `FILE_FLAGS`. */
	fileFlags: from1.u8(26),
	fileUnitSize: from1.u8(27),
	interleaveGapSize: from1.u8(28),
	volumeSequenceNumber: from1.u16both(29),
	/** 1 or more; 1 with value 0 is "." and 1 with value 1 is "..". */
	identifierByteLength: from1.u8(33),
};

export type DirectoryRecordHead = ValuesOf<typeof fields>;
export const directoryRecordHead: RecordType<typeof fields> = record("directory record", 33, fields);

/** ECMA-119 9.1.6. */
export const FILE_FLAGS = { hidden: 0x01, directory: 0x02, associated: 0x04, multiExtent: 0x80 } as const;

/** Identifiers of a directory's entries for itself and its parent (ECMA-119 6.8.2.2). */
export const SELF_IDENTIFIER: Uint8Array = Buffer.from([0]);
export const PARENT_IDENTIFIER: Uint8Array = Buffer.from([1]);

/** An odd record length cannot be said, so 254 is the longest. */
export const MAX_RECORD_BYTES = 254;

/** Bytes before the system use area: the head, the identifier, and a pad byte after an identifier of even length. */
export function systemUseOffset(identifierByteLength: number): number {
	return directoryRecordHead.byteLength + identifierByteLength + (identifierByteLength % 2 === 0 ? 1 : 0);
}

interface DirectoryRecord {
	readonly identifier: Uint8Array;
	readonly extentBlock: number;
	readonly dataByteLength: number;
	readonly recordedAtSeconds: number;
	readonly fileFlags: number;
	/** SUSP entries; an even number of bytes is made of it. */
	readonly systemUse: Uint8Array;
}

/** Bytes that `encodeDirectoryRecord` gives: even, 34 or more. */
export function directoryRecordByteLength(identifierByteLength: number, systemUseByteLength: number): number {
	const length = systemUseOffset(identifierByteLength) + systemUseByteLength;
	return length + (length % 2);
}

export function encodeDirectoryRecord(value: DirectoryRecord): Buffer {
	const byteLength = directoryRecordByteLength(value.identifier.byteLength, value.systemUse.byteLength);
	const bytes = Buffer.alloc(byteLength);
	bytes.set(
		directoryRecordHead.encode({
			recordByteLength: byteLength,
			extendedAttributeBlocks: 0,
			extentBlock: value.extentBlock,
			dataByteLength: value.dataByteLength,
			recordedAtSeconds: value.recordedAtSeconds,
			fileFlags: value.fileFlags,
			fileUnitSize: 0,
			interleaveGapSize: 0,
			volumeSequenceNumber: 1,
			identifierByteLength: value.identifier.byteLength,
		}),
	);
	bytes.set(value.identifier, directoryRecordHead.byteLength);
	bytes.set(value.systemUse, systemUseOffset(value.identifier.byteLength));
	return bytes;
}
