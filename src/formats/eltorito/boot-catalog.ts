import { from0, record } from "../../binary/record.ts";
import { DISK_BLOCK_BYTES, divideCeil, ISO_BLOCK_BYTES } from "../../binary/units.ts";
import { assert, corrupt } from "../../errors.ts";

/** One bootable image without emulation. */
export interface BootImage {
	/** El Torito 2.1: `bios` is 0x00; `uefi` is 0xef (UEFI 13.3.2.1). */
	readonly platform: "bios" | "uefi";
	/** Block of 2048 bytes. */
	readonly block: number;
	/** 512-byte blocks that the firmware loads, 0 to 65535. See `loadSectors`. */
	readonly sectorCount: number;
}

const PLATFORM = { bios: 0x00, uefi: 0xef } as const;
const ENTRY_BYTES = 32;
const BOOTABLE = 0x88;
/** Section headers that more headers follow, and the last one (El Torito 2.3). */
const HEADER_MORE = 0x90;
const HEADER_LAST = 0x91;

/** El Torito 2.1. */
export const validationEntry = record("validation entry", ENTRY_BYTES, {
	headerId: from0.u8(0),
	platformId: from0.u8(1),
	manufacturer: from0.text(4, 24, "\0"),
	/** Makes the 16-bit sum of the entry zero. */
	checksum: from0.u16le(28),
	key: from0.u16be(30),
});

/** El Torito 2.2 (default entry) and 2.4 (section entry); selection criteria stay zero. */
export const bootEntry = record("boot entry", ENTRY_BYTES, {
	bootIndicator: from0.u8(0),
	/** 0: no emulation. */
	mediaType: from0.u8(1),
	loadSegment: from0.u16le(2),
	systemType: from0.u8(4),
	sectorCount: from0.u16le(6),
	block: from0.u32le(8),
});

/** El Torito 2.3. */
export const sectionHeader = record("section header", ENTRY_BYTES, {
	headerIndicator: from0.u8(0),
	platformId: from0.u8(1),
	entryCount: from0.u16le(2),
	identifier: from0.text(4, 28, "\0"),
});

/**
 * Load size of a whole image of `byteLength`, in 512-byte blocks up to the end of its last 2048-byte block. The field has 16 bits: above 65535 (about 32 MiB) it is 0, which
 * UEFI 13.3.2.1 reads as "to the end of the medium"; xorriso does the same.
 */
export function loadSectors(byteLength: number): number {
	const sectors = divideCeil(byteLength, ISO_BLOCK_BYTES) * (ISO_BLOCK_BYTES / DISK_BLOCK_BYTES);
	return sectors > 0xffff ? 0 : sectors;
}

/** The boot catalog, one block. The first image is the default entry; each further one gets a section of its own. */
export function encodeBootCatalog(images: readonly [BootImage, ...BootImage[]]): Buffer {
	const [first, ...others] = images;
	assert((1 + 2 * others.length + 1) * ENTRY_BYTES <= ISO_BLOCK_BYTES, "too many boot images for one block");
	const unsummed = encodeValidation(first, 0);
	const records = [encodeValidation(first, (0x10000 - sum16(unsummed)) & 0xffff), encodeEntry(first)];
	for (const [i, image] of others.entries()) {
		const headerIndicator = i === others.length - 1 ? HEADER_LAST : HEADER_MORE;
		const platformId = PLATFORM[image.platform];
		records.push(sectionHeader.encode({ headerIndicator, platformId, entryCount: 1, identifier: "" }));
		records.push(encodeEntry(image));
	}
	return Buffer.concat(records, ISO_BLOCK_BYTES);
}

function encodeValidation(first: BootImage, checksum: number): Buffer {
	const platformId = PLATFORM[first.platform];
	return validationEntry.encode({ headerId: 1, platformId, manufacturer: "", checksum, key: 0x55aa });
}

function encodeEntry({ sectorCount, block }: BootImage): Buffer {
	return bootEntry.encode({
		bootIndicator: BOOTABLE,
		mediaType: 0,
		loadSegment: 0,
		systemType: 0,
		sectorCount,
		block,
	});
}

/** The images of a catalog. Throws `Oci2isoError` BAD_BOOT_CATALOG for any it does not fully understand. */
export function decodeBootCatalog(catalog: Uint8Array): BootImage[] {
	if (catalog.byteLength < 2 * ENTRY_BYTES) throw bad(`${catalog.byteLength} bytes`, "at least 64 bytes");
	const validation = validationEntry.decode(catalog);
	if (validation.headerId !== 1 || validation.key !== 0x55aa) throw bad("no validation entry", "header 1, key 0x55aa");
	if (sum16(catalog.subarray(0, ENTRY_BYTES)) !== 0) throw bad("the checksum is wrong", "a 16-bit sum of 0");
	const images = [decodeEntry(catalog, ENTRY_BYTES, platformOf(validation.platformId))];
	let at = 2 * ENTRY_BYTES;
	for (let last = false; !last && at + ENTRY_BYTES <= catalog.byteLength; ) {
		const header = sectionHeader.decode(catalog, at);
		if (header.headerIndicator === 0) break;
		if (header.headerIndicator !== HEADER_LAST && header.headerIndicator !== HEADER_MORE)
			throw bad(`section header 0x${header.headerIndicator.toString(16)} at ${at}`, "0x90 or 0x91");
		last = header.headerIndicator === HEADER_LAST;
		at += ENTRY_BYTES;
		for (let i = 0; i < header.entryCount; i++, at += ENTRY_BYTES) {
			if (at + ENTRY_BYTES > catalog.byteLength)
				throw bad(`${header.entryCount} entries`, "entries within the catalog");
			images.push(decodeEntry(catalog, at, platformOf(header.platformId)));
		}
	}
	return images;
}

function decodeEntry(catalog: Uint8Array, at: number, platform: BootImage["platform"]): BootImage {
	const entry = bootEntry.decode(catalog, at);
	if (entry.bootIndicator !== BOOTABLE || entry.mediaType !== 0)
		throw bad(`entry at ${at} is not a bootable image without emulation`, "indicator 0x88, media type 0");
	return { platform, block: entry.block, sectorCount: entry.sectorCount };
}

function platformOf(id: number): BootImage["platform"] {
	if (id === PLATFORM.bios) return "bios";
	if (id === PLATFORM.uefi) return "uefi";
	throw bad(`platform 0x${id.toString(16)}`, "0x00 or 0xef");
}

function sum16(bytes: Uint8Array): number {
	let sum = 0;
	for (const [i, byte] of bytes.entries()) sum += i % 2 === 0 ? byte : byte * 256;
	return sum & 0xffff;
}

function bad(what: string, expected: string) {
	return corrupt("BAD_BOOT_CATALOG", `El Torito boot catalog: ${what}`, undefined, expected);
}
