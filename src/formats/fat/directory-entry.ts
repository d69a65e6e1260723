import { from0, record } from "../../binary/record.ts";
import { assert } from "../../errors.ts";
import type { DosTime } from "./dos-time.ts";
import { type FatName, shortNameChecksum } from "./name.ts";

/** fatgen103, "FAT 32 Byte Directory Entry Structure". */
export const directoryEntry = record("FAT directory entry", 32, {
	/** First byte 0xE5: free; 0: free, and so is everything after it. */
	shortName: from0.bytes(0, 11),
	attributes: from0.u8(11),
	caseFlags: from0.u8(12),
	creationHundredths: from0.u8(13),
	creationTime: from0.u16le(14),
	creationDate: from0.u16le(16),
	accessDate: from0.u16le(18),
	/** 0 on FAT16. */
	firstClusterHigh: from0.u16le(20),
	writeTime: from0.u16le(22),
	writeDate: from0.u16le(24),
	/** 0 for an empty file, and in ".." for the root directory. */
	firstClusterLow: from0.u16le(26),
	/** In bytes; 0 for directories. */
	fileSize: from0.u32le(28),
});

/** fatgen103, "FAT Long Directory Entry Structure": 13 UTF-16 units of a long name. */
export const longNameSlot = record("FAT long name slot", 32, {
	/** From 1; 0x40 is added in the last one, which comes first on disk. */
	order: from0.u8(0),
	name1: from0.bytes(1, 10),
	attributes: from0.u8(11),
	type: from0.u8(12),
	checksum: from0.u8(13),
	name2: from0.bytes(14, 12),
	firstClusterLow: from0.u16le(26),
	name3: from0.bytes(28, 4),
});

export const ATTRIBUTE = { volumeId: 0x08, directory: 0x10, archive: 0x20, longName: 0x0f } as const;
export const LAST_LONG_SLOT = 0x40;
export const UNITS_PER_SLOT = 13;

interface EntryValues {
	readonly isDirectory: boolean;
	readonly firstCluster: number;
	/** 0 for directories. */
	readonly fileBytes: number;
	readonly time: DosTime;
}

/** Slots that an entry of this name takes. */
export function slotCount(name: FatName): number {
	return 1 + (name.longName === undefined ? 0 : Math.ceil(name.longName.length / UNITS_PER_SLOT));
}

/** An entry with the slots of its long name before it. */
export function encodeEntry(name: FatName, values: EntryValues): Buffer {
	return Buffer.concat([...longNameSlots(name), shortEntry(name.shortName, name.caseFlags, values)]);
}

/** "." and ".." of a directory; `parentCluster` is 0 where the parent is the root. */
export function encodeDotEntries(ownCluster: number, parentCluster: number, time: DosTime): Buffer {
	const values = { isDirectory: true, fileBytes: 0, time };
	return Buffer.concat([
		shortEntry(".".padEnd(11), 0, { ...values, firstCluster: ownCluster }),
		shortEntry("..".padEnd(11), 0, { ...values, firstCluster: parentCluster }),
	]);
}

function shortEntry(shortName: string, caseFlags: number, values: EntryValues): Buffer {
	assert(shortName.length === 11, "a short name has not 11 characters");
	const { isDirectory, firstCluster, fileBytes, time } = values;
	return directoryEntry.encode({
		shortName: Buffer.from(shortName, "latin1"),
		attributes: isDirectory ? ATTRIBUTE.directory : ATTRIBUTE.archive,
		caseFlags,
		creationHundredths: time.hundredths,
		creationTime: time.time,
		creationDate: time.date,
		accessDate: time.date,
		firstClusterHigh: firstCluster >>> 16,
		writeTime: time.time,
		writeDate: time.date,
		firstClusterLow: firstCluster & 0xffff,
		fileSize: fileBytes,
	});
}

function longNameSlots({ longName, shortName }: FatName): Buffer[] {
	if (longName === undefined) return [];
	const count = Math.ceil(longName.length / UNITS_PER_SLOT);
	const units = Buffer.alloc(count * UNITS_PER_SLOT * 2, 0xff);
	units.write(longName, "utf16le");
	// A name that fills its slots has no terminator.
	if (longName.length < count * UNITS_PER_SLOT) units.writeUInt16LE(0, longName.length * 2);
	const slots: Buffer[] = [];
	for (let index = count - 1; index >= 0; index--) {
		const part = units.subarray(index * UNITS_PER_SLOT * 2, (index + 1) * UNITS_PER_SLOT * 2);
		slots.push(
			longNameSlot.encode({
				order: index + 1 + (index === count - 1 ? LAST_LONG_SLOT : 0),
				name1: part.subarray(0, 10),
				attributes: ATTRIBUTE.longName,
				type: 0,
				checksum: shortNameChecksum(shortName),
				name2: part.subarray(10, 22),
				firstClusterLow: 0,
				name3: part.subarray(22, 26),
			}),
		);
	}
	return slots;
}
