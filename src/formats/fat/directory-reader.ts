import { type ByteString, byteStringFromText } from "../../binary/byte-string.ts";
import { corrupt } from "../../errors.ts";
import { ATTRIBUTE, directoryEntry, LAST_LONG_SLOT, longNameSlot, UNITS_PER_SLOT } from "./directory-entry.ts";
import { secondsOfDosTime } from "./dos-time.ts";
import { DIRECTORY_ENTRY_BYTES } from "./geometry.ts";
import { displayedShortName, shortNameChecksum } from "./name.ts";

/** One entry as a mount would show it. */
export interface ReadEntry {
	/** The long name, or the short one with its case flags applied. */
	readonly name: ByteString;
	/** 11 characters as stored. */
	readonly shortName: string;
	readonly isDirectory: boolean;
	readonly firstCluster: number;
	readonly fileBytes: number;
	/** Seconds since 1970, even. */
	readonly mtimeSeconds: number;
}

const FREE = 0xe5;
const FREE_FROM_HERE = 0;
/** Stands for a real 0xE5 in the first place of a name. */
const ESCAPED_E5 = 0x05;

/** The entries of a directory's bytes, "." and ".." among them. `where` names the directory. Throws FAT_DIRECTORY. */
export function readEntries(bytes: Uint8Array, where: string): ReadEntry[] {
	const fail = (what: string, expected: string) => corrupt("FAT_DIRECTORY", what, where, expected);
	const entries: ReadEntry[] = [];
	let long: PendingLongName | undefined;
	let hasEnded = false;
	for (let at = 0; at + DIRECTORY_ENTRY_BYTES <= bytes.byteLength; at += DIRECTORY_ENTRY_BYTES) {
		const first = bytes[at] ?? 0;
		if (hasEnded) {
			if (first !== FREE_FROM_HERE) throw fail("there are entries beyond the end of the directory", "zeros there");
			continue;
		}
		if (first === FREE_FROM_HERE) hasEnded = true;
		if (hasEnded || first === FREE) {
			if (long !== undefined) throw fail("a long name belongs to no entry", "an entry after its slots");
			continue;
		}
		const entry = directoryEntry.decode(bytes, at);
		if (entry.attributes === ATTRIBUTE.longName) {
			long = nextSlot(long, bytes, at, fail);
			continue;
		}
		const shortName = Buffer.from(entry.shortName).toString("latin1");
		const longName = long === undefined ? undefined : finishLongName(long, shortName, fail);
		long = undefined;
		if (entry.attributes & ATTRIBUTE.volumeId) continue;
		const shown = first === ESCAPED_E5 ? `\xe5${shortName.slice(1)}` : shortName;
		const isDot = shortName === ".".padEnd(11) || shortName === "..".padEnd(11);
		entries.push({
			name: byteStringFromText(longName ?? (isDot ? shortName.trimEnd() : displayedShortName(shown, entry.caseFlags))),
			shortName,
			isDirectory: (entry.attributes & ATTRIBUTE.directory) !== 0,
			firstCluster: entry.firstClusterHigh * 0x10000 + entry.firstClusterLow,
			fileBytes: entry.fileSize,
			mtimeSeconds: secondsOfDosTime(entry.writeDate, entry.writeTime),
		});
	}
	if (long !== undefined) throw fail("a long name belongs to no entry", "an entry after its slots");
	return entries;
}

type Fail = (what: string, expected: string) => Error;

/** Slots come last part first. */
interface PendingLongName {
	readonly units: Buffer;
	readonly checksum: number;
	/** Of the slot read last; 1 completes the name. */
	readonly order: number;
}

function nextSlot(pending: PendingLongName | undefined, bytes: Uint8Array, at: number, fail: Fail): PendingLongName {
	const slot = longNameSlot.decode(bytes, at);
	const isLast = (slot.order & LAST_LONG_SLOT) !== 0;
	const order = slot.order & ~LAST_LONG_SLOT;
	const isInOrder =
		pending === undefined ? isLast && order >= 1 && order <= 20 : !isLast && order === pending.order - 1;
	const isSameName = pending === undefined || slot.checksum === pending.checksum;
	if (!isInOrder || !isSameName || order === 0)
		throw fail("the slots of a long name are out of order", "them counting down to 1");
	const units = Buffer.concat([slot.name1, slot.name2, slot.name3, pending?.units ?? new Uint8Array()]);
	return { units, checksum: slot.checksum, order };
}

function finishLongName({ units, checksum, order }: PendingLongName, shortName: string, fail: Fail): string {
	if (order !== 1) throw fail("a long name is incomplete", "its slots down to 1");
	if (checksum !== shortNameChecksum(shortName))
		throw fail("a long name has the wrong checksum", `that of ${JSON.stringify(shortName)}`);
	const text = units.toString("utf16le");
	const end = text.indexOf("\0");
	const name = end < 0 ? text : text.slice(0, end);
	const hasEmptySlot = name.length <= (units.byteLength / 2 / UNITS_PER_SLOT - 1) * UNITS_PER_SLOT;
	if (hasEmptySlot || (end >= 0 && /[^\uffff]/.test(text.slice(end + 1))))
		throw fail("a long name is not filled up with 0xFFFF", "a terminator, then 0xFFFF");
	if (/[/\0]/.test(name) || name === "." || name === "..")
		throw fail(`${JSON.stringify(name)} is no name`, "a file name");
	return name;
}
