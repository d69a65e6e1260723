import type { ByteSource } from "../binary/byte-source.ts";
import { DISK_BLOCK_BYTES, ISO_BLOCK_BYTES } from "../binary/units.ts";
import { corrupt, type Oci2isoError } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import { PARTITION_TYPE } from "../formats/gpt/disk-layout.ts";
import {
	decodeGptEntries,
	decodeGptHeader,
	type GptHeader,
	type GptPartition,
	gptEntry,
	gptHeader,
	PRIMARY_HEADER_BLOCK,
} from "../formats/gpt/gpt.ts";
import { decodeMbr, encodeMbr, grubKernelBlock, hybridMbr, PROTECTIVE_TYPE } from "../formats/gpt/mbr.ts";
import type { Volume } from "../formats/iso9660/volume.ts";

const PER_BLOCK = ISO_BLOCK_BYTES / DISK_BLOCK_BYTES;

/** The protective MBR and GRUB's jump. `bootHybrid` is GRUB's boot_hybrid.img, where the medium has it. */
export function checkMbr(
	sector: Uint8Array,
	{
		imageSectors,
		biosBlock,
		bootHybrid,
	}: {
		readonly imageSectors: number;
		readonly biosBlock: number | undefined;
		readonly bootHybrid: Uint8Array | undefined;
	},
	findings: Findings,
): void {
	const { partitions, isActive, kernelBlock } = decodeMbr(sector);
	const where = "512-byte block 0";
	const [partition] = partitions;
	findings.equal("number of partitions", partitions.length, 1, where);
	if (partition !== undefined) {
		findings.equal("type of the partition", partition.type, PROTECTIVE_TYPE, where);
		findings.equal("first block of the partition", partition.firstBlock, 1, where);
		findings.equal("blocks of the partition", partition.blockCount, Math.min(imageSectors - 1, 2 ** 32 - 1), where);
		if (partition.status !== 0 && partition.status !== 0x80)
			findings.fault(`the partition's status is ${partition.status}`, where, "0 or 0x80");
	}
	if (biosBlock === undefined) {
		if (sector.subarray(0, hybridMbr.fields.diskSignature.offset).some((byte) => byte !== 0))
			findings.note("it has boot code, and nothing else is there for BIOS", where);
		findings.detail = "protective";
		return;
	}
	findings.equal("where GRUB's boot code jumps to", kernelBlock, grubKernelBlock(biosBlock), where);
	if (bootHybrid === undefined) {
		findings.note("the boot code was not compared: there is no boot_hybrid.img on the medium");
		return;
	}
	if (!isActive) findings.note("no partition is active: some BIOSes do not offer such a disk", where);
	const wanted = encodeMbr({ bootHybrid, elToritoBlock: biosBlock }, imageSectors, { isActive });
	const code = hybridMbr.fields.partitions.offset;
	for (const [name, from, to] of [
		["boot code", 0, code],
		["partition table", code, DISK_BLOCK_BYTES],
	] as const) {
		const differing = wanted.subarray(from, to).findIndex((byte, i) => byte !== sector[from + i]);
		if (differing < 0) continue;
		const what = `the ${name} differs at byte ${from + differing}`;
		findings.fault(what, where, "boot_hybrid.img with a protective partition over the disk");
	}
	findings.detail = `protective, GRUB's jump to 512-byte block ${kernelBlock}`;
}

interface GptTables {
	readonly partitions: readonly GptPartition[];
	readonly backup: GptHeader;
	readonly efiSystem: GptPartition;
}

/** Both GPTs (UEFI 5.3). */
export async function checkGpt(source: ByteSource, findings: Findings): Promise<GptTables> {
	const lastBlock = Math.floor(source.byteLength / DISK_BLOCK_BYTES) - 1;
	const primary = await readGpt(source, PRIMARY_HEADER_BLOCK, findings);
	const backup = await readGpt(source, lastBlock, findings);
	const { header } = primary;
	const where = "primary GPT";
	findings.equal("place of the backup", header.otherHeaderBlock, lastBlock, where);
	findings.equal("place of the primary", backup.header.otherHeaderBlock, PRIMARY_HEADER_BLOCK, "backup GPT");
	for (const name of ["diskGuid", "firstUsableBlock", "lastUsableBlock", "entryCount", "entriesCrc"] as const)
		findings.equal(`the backup's ${name}`, backup.header[name], header[name], "backup GPT");
	const arrayBlocks = Math.ceil((header.entryCount * gptEntry.byteLength) / DISK_BLOCK_BYTES);
	if (header.entriesBlock < 2 || header.entriesBlock + arrayBlocks > header.firstUsableBlock)
		findings.fault(`the entries are at ${header.entriesBlock}`, where, `2 to ${header.firstUsableBlock - arrayBlocks}`);
	const { entriesBlock } = backup.header;
	if (entriesBlock <= header.lastUsableBlock || entriesBlock + arrayBlocks > lastBlock)
		findings.fault(`the entries are at ${entriesBlock}`, "backup GPT", `behind ${header.lastUsableBlock}`);
	if (header.firstUsableBlock > header.lastUsableBlock || header.lastUsableBlock >= lastBlock)
		findings.fault(
			`usable blocks ${header.firstUsableBlock} to ${header.lastUsableBlock}`,
			where,
			"blocks of the disk",
		);
	checkRanges(primary.partitions, header, findings);
	const efiSystem = primary.partitions.find(({ typeGuid }) => typeGuid === PARTITION_TYPE.efiSystem);
	if (efiSystem === undefined) throw bad("there is no EFI system partition", where, PARTITION_TYPE.efiSystem);
	findings.detail = primary.partitions
		.map(({ name, firstBlock, lastBlock: end }) => `${name} ${firstBlock}-${end}`)
		.join(", ");
	return { partitions: primary.partitions, backup: backup.header, efiSystem };
}

async function readGpt(source: ByteSource, block: number, findings: Findings) {
	const sector = await source.read(block * DISK_BLOCK_BYTES, DISK_BLOCK_BYTES);
	const header = decodeGptHeader(sector, block);
	const isZero = sector.subarray(gptHeader.byteLength).every((byte) => byte === 0);
	if (!isZero || sector.subarray(20, 24).some((byte) => byte !== 0))
		findings.fault("reserved bytes of a GPT header are set", `512-byte block ${block}`, "zeros");
	if (header.entriesBlock * DISK_BLOCK_BYTES > source.byteLength)
		throw bad(`entries at ${header.entriesBlock}`, `512-byte block ${block}`, "a place on the disk");
	const bytes = await source.read(header.entriesBlock * DISK_BLOCK_BYTES, header.entryCount * gptEntry.byteLength);
	return { header, partitions: decodeGptEntries(bytes, header) };
}

function checkRanges(partitions: readonly GptPartition[], header: GptHeader, findings: Findings): void {
	const sorted = [...partitions].sort((a, b) => a.firstBlock - b.firstBlock);
	let end = header.firstUsableBlock;
	for (const { name, firstBlock, lastBlock } of sorted) {
		if (firstBlock < end || lastBlock < firstBlock || lastBlock > header.lastUsableBlock)
			findings.fault(
				`blocks ${firstBlock} to ${lastBlock}`,
				`partition ${name}`,
				`${end} to ${header.lastUsableBlock}`,
			);
		end = Math.max(end, lastBlock + 1);
	}
	if (new Set(partitions.map(({ partitionGuid }) => partitionGuid)).size !== partitions.length)
		findings.fault("two partitions have one GUID", "primary GPT", "GUIDs of their own");
}

/** The partition that a volume can be read from: where it begins (2048-byte block), if it covers all of the volume. */
export function checkVolumePartition(partitions: readonly GptPartition[], volume: Volume, findings: Findings): number {
	const [first] = partitions;
	if (first === undefined) throw bad("there is no first partition", "primary GPT", "one over the volume");
	if (first.firstBlock % PER_BLOCK !== 0)
		throw bad(`partition 1 begins at ${first.firstBlock}`, "primary GPT", "a multiple of 4");
	const end = (volume.joliet ?? volume.primary).volumeSpaceBlocks * PER_BLOCK;
	findings.equal("type of partition 1", first.typeGuid, PARTITION_TYPE.basicData, "primary GPT");
	findings.equal("end of partition 1, which covers the volume", first.lastBlock + 1, end, "primary GPT");
	return first.firstBlock / PER_BLOCK;
}

function bad(what: string, where: string, expected: string): Oci2isoError {
	return corrupt("BAD_PARTITIONS", what, where, expected);
}
