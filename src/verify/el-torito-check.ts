import type { ByteSource } from "../binary/byte-source.ts";
import { DISK_BLOCK_BYTES, ISO_BLOCK_BYTES } from "../binary/units.ts";
import { corrupt } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import {
	type BootImage,
	bootEntry,
	decodeBootCatalog,
	loadSectors,
	sectionHeader,
} from "../formats/eltorito/boot-catalog.ts";
import { bootRecordDescriptor, decodeBootRecord } from "../formats/eltorito/boot-record.ts";
import type { GptPartition } from "../formats/gpt/gpt.ts";
import type { Volume } from "../formats/iso9660/volume.ts";
import { BIOS_LOAD_SECTORS } from "../medium/write-iso.ts";

interface BootCatalog {
	readonly block: number;
	readonly images: readonly BootImage[];
	readonly bios: BootImage | undefined;
	readonly uefi: BootImage | undefined;
}

const ENTRY_BYTES = 32;

/** The boot record in block 17 and the catalog that it names, of a medium for a machine with a BIOS or without. */
export async function checkElTorito(
	source: ByteSource,
	volume: Volume,
	hasBios: boolean,
	findings: Findings,
): Promise<BootCatalog> {
	const [record] = volume.bootRecords;
	const block = record === undefined ? undefined : decodeBootRecord(record);
	const atSeventeen = await source.read(17 * ISO_BLOCK_BYTES, ISO_BLOCK_BYTES);
	if (record === undefined || block === undefined || Buffer.compare(atSeventeen, record) !== 0)
		throw corrupt("NO_BOOT_RECORD", "there is no El Torito boot record", "block 17", "EL TORITO SPECIFICATION");
	const { bootSystemIdentifier, catalogBlock } = bootRecordDescriptor.fields;
	const unused = [
		record.subarray(bootSystemIdentifier.offset + bootSystemIdentifier.byteLength, catalogBlock.offset),
		record.subarray(catalogBlock.offset + catalogBlock.byteLength),
	];
	if (unused.some((part) => part.some((byte) => byte !== 0)))
		findings.fault("unused bytes of the boot record are set", "block 17", "zeros");
	const bytes = await source.read(block * ISO_BLOCK_BYTES, ISO_BLOCK_BYTES);
	const images = decodeBootCatalog(bytes);
	const where = `block ${block}`;
	checkReserved(bytes, images.length, where, findings);
	const bios = images.find(({ platform }) => platform === "bios");
	const uefi = images.find(({ platform }) => platform === "uefi");
	if (hasBios) {
		if (images[0]?.platform !== "bios") findings.fault("the default entry is not for BIOS", where, "platform 0x00");
		if (bios === undefined) findings.fault("there is no image for BIOS", where, "one");
		else findings.equal("sectors to load of the BIOS image", bios.sectorCount, BIOS_LOAD_SECTORS, where);
	}
	if (uefi === undefined) findings.fault("there is no image for UEFI", where, "one");
	const wanted = hasBios ? "one for BIOS, one for UEFI" : "one, for UEFI";
	if (images.length !== (hasBios ? 2 : 1)) findings.fault(`there are ${images.length} images`, where, wanted);
	findings.detail = `catalog at ${where}, images ${images.map((each) => `${each.platform} at ${each.block}`).join(", ")}`;
	return { block, images, bios, uefi };
}

/** What `decodeBootCatalog` passes over: fields that are zero without emulation, and the rest of the catalog. */
function checkReserved(bytes: Uint8Array, imageCount: number, where: string, findings: Findings): void {
	const zeros = (from: number, to: number): boolean => bytes.subarray(from, to).every((byte) => byte === 0);
	if (!zeros(2, 4)) findings.fault("reserved bytes of the validation entry are set", where, "zeros");
	// Validation, default entry, then a header and an entry for each further image.
	const end = Math.min(2 * ENTRY_BYTES * imageCount, bytes.byteLength);
	for (let at = ENTRY_BYTES; at < end; at += 2 * ENTRY_BYTES) {
		const entry = bootEntry.decode(bytes, at);
		if (entry.loadSegment !== 0 && entry.loadSegment !== 0x7c0)
			findings.fault(`load segment 0x${entry.loadSegment.toString(16)}`, where, "0 or 0x7c0");
		findings.equal("system type", entry.systemType, 0, where);
		if (!zeros(at + 5, at + 6) || !zeros(at + 12, at + ENTRY_BYTES))
			findings.fault(`reserved bytes of the entry at ${at} are set`, where, "zeros");
	}
	for (let at = 2 * ENTRY_BYTES; at < end; at += 2 * ENTRY_BYTES) {
		const isLast = at + 2 * ENTRY_BYTES === end;
		const { headerIndicator, entryCount } = sectionHeader.decode(bytes, at);
		findings.equal("entries of a section", entryCount, 1, where);
		findings.equal("section header indicator", headerIndicator, isLast ? 0x91 : 0x90, where);
		if (!zeros(at + 4, at + ENTRY_BYTES)) findings.note("a section has an identifier", where);
	}
	if (!zeros(end, bytes.byteLength)) findings.fault("there is something behind the catalog's entries", where, "zeros");
}

/** The UEFI image is the EFI system partition, all of it. */
export function checkUefiImage(image: BootImage, partition: GptPartition, findings: Findings): void {
	const perBlock = ISO_BLOCK_BYTES / DISK_BLOCK_BYTES;
	findings.equal("the UEFI image's block", image.block, partition.firstBlock / perBlock, "boot catalog");
	const byteLength = (partition.lastBlock + 1 - partition.firstBlock) * DISK_BLOCK_BYTES;
	findings.equal("sectors to load of the UEFI image", image.sectorCount, loadSectors(byteLength), "boot catalog");
}
