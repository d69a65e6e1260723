/** What is wrong with a database. */
export class NdbFault extends Error {}

const MAGIC = "RpmP";
const HEADER_BYTES = 32;
const PAGE_BYTES = 4096;
const SLOT_MAGIC = "Slot";
const SLOT_BYTES = 16;
const UNIT_BYTES = 16;
const BLOB_MAGIC = "BlbS";
const BLOB_HEADER_BYTES = 16;

/**
 * The package headers in rpm's own database `Packages.db`: pages of slots that say where they are, in units of 16 bytes (rpm, lib/backend/ndb). A header is part of `file`.
 * Throws `NdbFault`.
 */
export function* readNdb(file: Uint8Array): Generator<Buffer, void, undefined> {
	const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
	const isMagic = (at: number, magic: string): boolean => bytes.toString("latin1", at, at + 4) === magic;
	if (bytes.byteLength < PAGE_BYTES || !isMagic(0, MAGIC))
		throw new NdbFault("it does not begin as a package database");
	const slotsEnd = bytes.readUInt32LE(12) * PAGE_BYTES;
	if (slotsEnd > bytes.byteLength) throw new NdbFault("it ends before its slots do");
	let headerBytes = 0;
	for (let at = HEADER_BYTES; at < slotsEnd; at += SLOT_BYTES) {
		if (!isMagic(at, SLOT_MAGIC)) throw new NdbFault(`there is no slot at byte ${at}`);
		const index = bytes.readUInt32LE(at + 4);
		const start = bytes.readUInt32LE(at + 8) * UNIT_BYTES;
		if (index === 0 || start === 0) continue;
		if (
			start + BLOB_HEADER_BYTES > bytes.byteLength ||
			!isMagic(start, BLOB_MAGIC) ||
			bytes.readUInt32LE(start + 4) !== index
		)
			throw new NdbFault(`there is no header of package ${index} at byte ${start}`);
		const from = start + BLOB_HEADER_BYTES;
		const to = from + bytes.readUInt32LE(start + 12);
		headerBytes += to - from;
		// slots may lead to one place again and again
		if (to > bytes.byteLength || headerBytes > bytes.byteLength) throw new NdbFault("its headers are longer than it");
		yield bytes.subarray(from, to);
	}
}
