import { type ByteSource, region } from "../binary/byte-source.ts";
import { type ByteString, displayName } from "../binary/byte-string.ts";
import { DISK_BLOCK_BYTES, MiB } from "../binary/units.ts";
import { MAX_ESP_BYTES } from "../boot/boot-file-limits.ts";
import { ISO_PATHS } from "../boot/iso-paths.ts";
import type { Findings } from "../findings/findings.ts";
import {
	BACKUP_BOOT_SECTOR,
	FS_INFO_SECTOR,
	fat16BootSector,
	fat32BootSector,
	fsInfo,
} from "../formats/fat/boot-sector.ts";
import { type FatReadDirectory, type FatReadFile, type FatVolume, readFat } from "../formats/fat/read-fat.ts";
import type { GptPartition } from "../formats/gpt/gpt.ts";
import type { VolumeDirectory } from "../formats/iso9660/volume.ts";
import { fileAt, fileSource } from "./medium-files.ts";

const COMPARED_BYTES = 1 * MiB;

/** The partition as bytes. Throws `Oci2isoError` UNEXPECTED_END when read beyond the image. */
export function partitionSource(source: ByteSource, { firstBlock, lastBlock }: GptPartition): ByteSource {
	const start = firstBlock * DISK_BLOCK_BYTES;
	const byteLength = (lastBlock + 1 - firstBlock) * DISK_BLOCK_BYTES;
	return region(source, start, Math.max(0, Math.min(byteLength, source.byteLength - start)));
}

/** The FAT file system, and its copies in the ISO's tree: the EFI image as a whole, and every file of `EFI`. */
export async function checkEsp(
	source: ByteSource,
	partition: ByteSource,
	root: VolumeDirectory,
	findings: Findings,
): Promise<FatVolume> {
	const volume = await readFat(partition);
	await checkReserved(partition, volume, findings);
	const { geometry } = volume;
	findings.detail = `${geometry.type}, ${geometry.clusterCount} clusters, ${volume.freeClusters} free`;
	const copy = fileAt(root, ISO_PATHS.efiImage);
	if (copy === undefined) findings.note(`there is no ${ISO_PATHS.efiImage} to compare with`);
	else await compareImages(partition, fileSource(source, copy, ISO_PATHS.efiImage), findings);
	await compareFiles(source, volume.root, root, findings);
	return volume;
}

/** What `readFat` has no use for: media byte, the first two table entries, signatures, FAT32's spare copies. */
async function checkReserved(
	partition: ByteSource,
	{ geometry, rootCluster }: FatVolume,
	findings: Findings,
): Promise<void> {
	const where = "FAT sector 0";
	const sector = await partition.read(0, DISK_BLOCK_BYTES);
	const isFat32 = geometry.type === "FAT32";
	const boot = isFat32 ? fat32BootSector.decode(sector) : fat16BootSector.decode(sector);
	if (boot.media !== 0xf8 && boot.media !== 0xf0) findings.fault(`media byte ${boot.media}`, where, "0xf8 or 0xf0");
	findings.equal("extended boot signature", boot.extendedSignature, 0x29, where);
	findings.equal("type name", boot.typeName, geometry.type, where);
	findings.equal("hidden sectors", boot.hiddenSectors, 0, where);
	const table = Buffer.from(await partition.read(geometry.reservedSectors * DISK_BLOCK_BYTES, 8));
	const [first, second] = isFat32
		? [table.readUInt32LE(0) & 0x0fffffff, table.readUInt32LE(4) & 0x0fffffff]
		: [table.readUInt16LE(0), table.readUInt16LE(2)];
	findings.equal("first table entry", first, (isFat32 ? 0x0fffff00 : 0xff00) + boot.media, "FAT tables");
	if (second < (isFat32 ? 0x0ffffff8 : 0xfff8))
		findings.fault(`second table entry ${second}`, "FAT tables", "an end mark");
	if (!isFat32) return;
	const spare = await partition.read(BACKUP_BOOT_SECTOR * DISK_BLOCK_BYTES, DISK_BLOCK_BYTES);
	if (Buffer.compare(spare, sector) !== 0) findings.fault("the spare boot sector differs", "FAT sector 6", "a copy");
	const info = fsInfo.decode(await partition.read(FS_INFO_SECTOR * DISK_BLOCK_BYTES, DISK_BLOCK_BYTES));
	findings.equal("FSInfo signature", info.leadSignature, 0x41615252, "FAT sector 1");
	findings.equal("FSInfo signature", info.structureSignature, 0x61417272, "FAT sector 1");
	if (rootCluster === undefined || rootCluster < 2) findings.fault(`root cluster ${rootCluster}`, where, "2 or more");
}

async function compareImages(partition: ByteSource, copy: ByteSource, findings: Findings): Promise<void> {
	const where = `/${ISO_PATHS.efiImage}`;
	if (copy.byteLength > partition.byteLength) {
		findings.fault(`it has ${copy.byteLength} bytes`, where, `at most the partition's ${partition.byteLength}`);
		return;
	}
	for (let at = 0; at < copy.byteLength; at += COMPARED_BYTES) {
		const length = Math.min(COMPARED_BYTES, copy.byteLength - at);
		const [a, b] = [await partition.read(at, length), await copy.read(at, length)];
		if (Buffer.compare(a, b) === 0) continue;
		const differing = a.findIndex((byte, i) => byte !== b[i]);
		findings.fault(`it differs from the EFI system partition at byte ${at + differing}`, where, "the same bytes");
		return;
	}
}

async function compareFiles(
	source: ByteSource,
	root: FatReadDirectory,
	tree: VolumeDirectory,
	findings: Findings,
): Promise<void> {
	for (const [path, file] of fatFiles(root, "")) {
		const twin = fileAt(tree, path);
		if (twin === undefined) {
			findings.note("it is on the EFI system partition only", `/${displayName(path)}`);
			continue;
		}
		const same =
			twin.byteLength === file.byteLength &&
			file.byteLength <= MAX_ESP_BYTES &&
			Buffer.compare(await file.read(), await fileSource(source, twin, path).read(0, twin.byteLength)) === 0;
		if (!same)
			findings.fault("it differs between the EFI system partition and the ISO", `/${displayName(path)}`, "one content");
	}
}

function* fatFiles(directory: FatReadDirectory, prefix: ByteString): Generator<[ByteString, FatReadFile]> {
	for (const [name, node] of directory.entries) {
		if (node.kind === "file") yield [prefix + name, node];
		else yield* fatFiles(node, `${prefix}${name}/`);
	}
}

/** The file at a path, whatever the case of its letters, as firmware and GRUB look it up. */
export function fatFileAt(root: FatReadDirectory, path: ByteString): FatReadFile | undefined {
	const node = fatNodeAt(root, path);
	return node?.kind === "file" ? node : undefined;
}

/** The same for directories too. */
export function fatNodeAt(root: FatReadDirectory, path: ByteString): FatReadDirectory | FatReadFile | undefined {
	let node: FatReadDirectory | FatReadFile | undefined = root;
	for (const name of path.split("/").filter((each) => each !== "")) {
		if (node?.kind !== "directory") return undefined;
		const wanted = name.toUpperCase();
		node = [...node.entries].find(([each]) => each.toUpperCase() === wanted)?.[1];
	}
	return node;
}
