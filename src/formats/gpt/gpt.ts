import { crc32 } from "node:zlib";
import { type Field, from0, record, type ValuesOf } from "../../binary/record.ts";
import { DISK_BLOCK_BYTES } from "../../binary/units.ts";
import { assert, corrupt } from "../../errors.ts";
import { type Guid, guidField } from "./guid.ts";

/** UEFI 5.3.2. All block numbers count 512-byte blocks. */
export const gptHeader = record("GPT header", 92, {
	signature: from0.text(0, 8),
	revision: from0.u32le(8),
	headerByteLength: from0.u32le(12),
	/** Over the header with this field zero. */
	headerCrc: from0.u32le(16),
	ownBlock: from0.safe64le(24),
	otherHeaderBlock: from0.safe64le(32),
	firstUsableBlock: from0.safe64le(40),
	/** Inclusive. */
	lastUsableBlock: from0.safe64le(48),
	diskGuid: guidField(56),
	entriesBlock: from0.safe64le(72),
	entryCount: from0.u32le(80),
	entryByteLength: from0.u32le(84),
	entriesCrc: from0.u32le(88),
});

/** UEFI 5.3.3. */
export const gptEntry = record("GPT entry", 128, {
	typeGuid: guidField(0),
	partitionGuid: guidField(16),
	firstBlock: from0.safe64le(32),
	/** Inclusive. */
	lastBlock: from0.safe64le(40),
	attributes: from0.u64le(48),
	/** At most 36 UTF-16 code units. */
	name: utf16Text(56, 72),
});

export type GptHeader = ValuesOf<typeof gptHeader.fields>;
export type GptPartition = ValuesOf<typeof gptEntry.fields>;

export interface Gpt {
	readonly diskGuid: Guid;
	readonly firstUsableBlock: number;
	/** Inclusive. */
	readonly lastUsableBlock: number;
	/** Of the whole disk. */
	readonly diskBlocks: number;
	/** At most 248. */
	readonly partitions: readonly GptPartition[];
}

const SIGNATURE = "EFI PART";
const REVISION_1_0 = 0x00010000;
/** What fits between the header (block 1) and block 64, as xorriso lays it out. */
const ENTRY_COUNT = 248;
const ENTRIES_BLOCKS = (ENTRY_COUNT * gptEntry.byteLength) / DISK_BLOCK_BYTES;
export const PRIMARY_HEADER_BLOCK = 1;
const PRIMARY_ENTRIES_BLOCK = 2;
const UNUSED_TYPE: Guid = "00000000-0000-0000-0000-000000000000";

/** Bytes and the 512-byte block where they go. */
export interface GptPart {
	readonly block: number;
	readonly bytes: Buffer;
}

/** The header and entries at the start of the disk, one after the other from block 1. */
export function encodePrimaryGpt(gpt: Gpt): GptPart {
	const entries = encodeEntries(gpt);
	const header = encodeHeader(gpt, PRIMARY_HEADER_BLOCK, gpt.diskBlocks - 1, PRIMARY_ENTRIES_BLOCK, entries);
	return { block: PRIMARY_HEADER_BLOCK, bytes: Buffer.concat([header, entries]) };
}

/** The entries and header that end the disk: 63 blocks. */
export function encodeBackupGpt(gpt: Gpt): GptPart {
	const entries = encodeEntries(gpt);
	const entriesBlock = gpt.diskBlocks - 1 - ENTRIES_BLOCKS;
	assert(gpt.lastUsableBlock < entriesBlock, "usable blocks reach into the backup GPT");
	const header = encodeHeader(gpt, gpt.diskBlocks - 1, PRIMARY_HEADER_BLOCK, entriesBlock, entries);
	return { block: entriesBlock, bytes: Buffer.concat([entries, header]) };
}

function encodeEntries({ partitions }: Gpt): Buffer {
	assert(partitions.length <= ENTRY_COUNT, "too many partitions");
	const bytes = Buffer.alloc(ENTRY_COUNT * gptEntry.byteLength);
	for (const [i, partition] of partitions.entries()) bytes.set(gptEntry.encode(partition), i * gptEntry.byteLength);
	return bytes;
}

function encodeHeader(gpt: Gpt, ownBlock: number, otherBlock: number, entriesBlock: number, entries: Buffer): Buffer {
	const values: GptHeader = {
		signature: SIGNATURE,
		revision: REVISION_1_0,
		headerByteLength: gptHeader.byteLength,
		headerCrc: 0,
		ownBlock,
		otherHeaderBlock: otherBlock,
		firstUsableBlock: gpt.firstUsableBlock,
		lastUsableBlock: gpt.lastUsableBlock,
		diskGuid: gpt.diskGuid,
		entriesBlock,
		entryCount: ENTRY_COUNT,
		entryByteLength: gptEntry.byteLength,
		entriesCrc: crc32(entries),
	};
	const headerCrc = crc32(gptHeader.encode(values));
	return Buffer.concat([gptHeader.encode({ ...values, headerCrc })], DISK_BLOCK_BYTES);
}

/** Checks a header's signature, sizes and CRC. `block` is where it was read from; throws `Oci2isoError` BAD_GPT. */
export function decodeGptHeader(bytes: Uint8Array, block: number): GptHeader {
	if (bytes.byteLength < gptHeader.byteLength) throw bad(`a header of ${bytes.byteLength} bytes`, "92 bytes", block);
	const header = gptHeader.decode(bytes);
	if (header.signature !== SIGNATURE || header.revision !== REVISION_1_0)
		throw bad("no GPT header", "signature EFI PART, revision 1.0", block);
	if (header.headerByteLength !== gptHeader.byteLength || header.entryByteLength !== gptEntry.byteLength)
		throw bad("sizes of header and entries", "92 and 128 bytes", block);
	if (header.entryCount > MAX_ENTRY_COUNT)
		throw bad(`${header.entryCount} entries`, `at most ${MAX_ENTRY_COUNT}`, block);
	const withoutCrc = Buffer.from(bytes.subarray(0, gptHeader.byteLength));
	withoutCrc.writeUInt32LE(0, gptHeader.fields.headerCrc.offset);
	if (crc32(withoutCrc) !== header.headerCrc)
		throw bad("the header's CRC is wrong", `0x${header.headerCrc.toString(16)}`, block);
	if (header.ownBlock !== block) throw bad(`a header for block ${header.ownBlock}`, `block ${block}`, block);
	return header;
}

const MAX_ENTRY_COUNT = 1024;

/** The used entries of `bytes`, the whole entry array that `header` tells of. Throws `Oci2isoError` BAD_GPT. */
export function decodeGptEntries(bytes: Uint8Array, header: GptHeader): GptPartition[] {
	const byteLength = header.entryCount * gptEntry.byteLength;
	if (bytes.byteLength < byteLength)
		throw bad(`an entry array of ${bytes.byteLength} bytes`, `${byteLength} bytes`, header.entriesBlock);
	const array = bytes.subarray(0, byteLength);
	if (crc32(array) !== header.entriesCrc)
		throw bad("the entry array's CRC is wrong", `0x${header.entriesCrc.toString(16)}`, header.entriesBlock);
	return Array.from({ length: header.entryCount }, (_, i) => gptEntry.decode(array, i * gptEntry.byteLength)).filter(
		(entry) => entry.typeGuid !== UNUSED_TYPE,
	);
}

function utf16Text(position: number, byteLength: number): Field<string> {
	return {
		offset: position,
		byteLength,
		encode(value, view, at) {
			assert(value.length <= byteLength / 2, `"${value}" does not fit a partition name`);
			for (let i = 0; i < value.length; i++) view.setUint16(at + 2 * i, value.charCodeAt(i), true);
		},
		decode(view, at) {
			const units = Array.from({ length: byteLength / 2 }, (_, i) => view.getUint16(at + 2 * i, true));
			return String.fromCharCode(...units).replace(/\0.*$/s, "");
		},
	};
}

function bad(what: string, expected: string, block: number) {
	return corrupt("BAD_GPT", `GPT: ${what}`, `512-byte block ${block}`, expected);
}
