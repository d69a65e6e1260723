import { createHash } from "node:crypto";
import {
	closeSync,
	existsSync,
	fstatSync,
	ftruncateSync,
	lstatSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	readSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { join } from "node:path";
import { type ByteSource, unexpectedEnd } from "../../src/binary/byte-source.ts";
import type { ByteString } from "../../src/binary/byte-string.ts";
import { ISO_BLOCK_BYTES } from "../../src/binary/units.ts";
import { encodeBootCatalog, loadSectors } from "../../src/formats/eltorito/boot-catalog.ts";
import { patchBootImage } from "../../src/formats/eltorito/boot-info.ts";
import { encodeBootRecord } from "../../src/formats/eltorito/boot-record.ts";
import { layOutDisk } from "../../src/formats/gpt/disk-layout.ts";
import { encodeBackupGpt, encodePrimaryGpt } from "../../src/formats/gpt/gpt.ts";
import { guidFromDigest } from "../../src/formats/gpt/guid.ts";
import { encodeMbr } from "../../src/formats/gpt/mbr.ts";
import { finishVolume } from "../../src/formats/iso9660/finish-volume.ts";
import { blockOfContent, planVolume, type VolumePlan } from "../../src/formats/iso9660/plan-volume.ts";
import type { IsoDirectory, IsoNode } from "../../src/formats/iso9660/tree.ts";

export const CATALOG_KEY = "boot.cat";
const ELTORITO_PATH = "images/eltorito.img";
const EFI_PATH = "images/efiboot.img";

/** The tree below `path` as xorriso would graft it. Content keys are paths from the root. */
export function treeFromDirectory(path: string): IsoDirectory {
	const inodes = new Map<bigint, IsoNode>();
	const node = directory("");
	return node;

	function directory(relative: string): IsoDirectory {
		const entries = new Map<ByteString, IsoNode>();
		for (const raw of readdirSync(Buffer.from(join(path, relative), "latin1"), { encoding: "latin1" as never }))
			entries.set(raw as string, child(relative === "" ? (raw as string) : `${relative}/${raw as string}`));
		return { type: "directory", entries, ...attributes(relative) };
	}

	function child(relative: string): IsoNode {
		const name = absolute(relative);
		const stat = lstatSync(name, { bigint: true });
		if (stat.isDirectory()) return directory(relative);
		const known = inodes.get(stat.ino);
		if (known !== undefined) return known;
		const made: IsoNode = stat.isSymbolicLink()
			? { type: "symlink", target: readlinkSync(name, "latin1" as never), ...attributes(relative) }
			: { type: "file", byteLength: Number(stat.size), contentKey: relative, ...attributes(relative) };
		if (stat.nlink > 1n) inodes.set(stat.ino, made);
		return made;
	}

	function absolute(relative: string): Buffer {
		return Buffer.from(relative === "" ? path : `${path}/${relative}`, "latin1");
	}

	function attributes(relative: string) {
		const stat = lstatSync(absolute(relative));
		return { mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid, mtimeSeconds: Math.floor(stat.mtimeMs / 1000) };
	}
}

/** Writes `tree` (whose bodies lie below `source`) with every boot structure to `output`, as the whole program does. */
export function writeIso(
	output: string,
	tree: IsoDirectory,
	source: string,
	options: { volumeIdentifier: string; bootHybrid: Uint8Array; firstFreeBlock?: number },
): VolumePlan {
	const plan = planVolume(tree, {
		volumeIdentifier: options.volumeIdentifier,
		systemIdentifier: "LINUX",
		preparer: "OCI2ISO TEST",
		timestampSeconds: 1_700_000_000,
		firstFreeBlock: options.firstFreeBlock ?? 64,
		partitionOffsetBlocks: 16,
		hiddenFiles: [{ contentKey: CATALOG_KEY, byteLength: ISO_BLOCK_BYTES }],
	});
	const body = (key: string) => readFileSync(Buffer.from(`${source}/${key}`, "latin1"));
	const efi = body(EFI_PATH);
	const guid = (name: string) => guidFromDigest(createHash("sha256").update(name).digest());
	const disk = layOutDisk(plan.endBlock, efi.byteLength, {
		disk: guid("disk"),
		iso9660: guid("iso9660"),
		efiSystem: guid("efi"),
		padding: guid("padding"),
	});
	const elToritoBlock = blockOfContent(plan, ELTORITO_PATH);
	const catalogBlock = blockOfContent(plan, CATALOG_KEY);
	const catalog = encodeBootCatalog([
		{ platform: "bios", block: elToritoBlock, sectorCount: 4 },
		{ platform: "uefi", block: disk.efiSystemBlock, sectorCount: loadSectors(efi.byteLength) },
	]);
	const file = openSync(output, "w");
	try {
		const write = (block: number, bytes: Uint8Array, blockBytes = ISO_BLOCK_BYTES) =>
			writeSync(file, bytes, 0, bytes.byteLength, block * blockBytes);
		ftruncateSync(file, disk.imageBlocks * ISO_BLOCK_BYTES);
		write(0, encodeMbr({ bootHybrid: options.bootHybrid, elToritoBlock }, disk.imageSectors));
		for (const part of [encodePrimaryGpt(disk.gpt), encodeBackupGpt(disk.gpt)]) write(part.block, part.bytes, 512);
		for (const table of plan.tables) write(table.block, table.bytes);
		const bootRecords = [encodeBootRecord(catalogBlock)];
		for (const table of finishVolume(plan, { imageBlocks: disk.imageBlocks, bootRecords }))
			write(table.block, table.bytes);
		for (const { contentKey, block } of plan.files) {
			if (contentKey === CATALOG_KEY) write(block, catalog);
			else if (contentKey === ELTORITO_PATH)
				write(block, patchBootImage(body(contentKey), { pvdBlock: 16, imageBlock: block }));
			else if (lstatSync(Buffer.from(`${source}/${contentKey}`, "latin1")).size < 2 ** 30)
				write(block, body(contentKey));
		}
		write(disk.efiSystemBlock, efi);
	} finally {
		closeSync(file);
	}
	return plan;
}

/** The reference converter's xorrisofs arguments, in its order, and the active entry. */
export function xorrisofsArguments(output: string, tree: string, label: string, bootHybridPath: string): string[] {
	return [
		...["-verbose", "-rock", "-joliet", "-iso-level", "3", "-V", label, "-sysid", "LINUX"],
		...["--grub2-mbr", bootHybridPath, "-partition_offset", "16", "-appended_part_as_gpt"],
		...["-append_partition", "2", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", `${tree}/${EFI_PATH}`],
		...["-iso_mbr_part_type", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "--mbr-force-bootable"],
		...["-b", ELTORITO_PATH, "-c", "boot.cat", "--boot-catalog-hide", "-no-emul-boot", "-boot-load-size", "4"],
		...["-boot-info-table", "--grub2-boot-info", "-eltorito-alt-boot"],
		...["-e", "--interval:appended_partition_2:all::", "-no-emul-boot", "-o", output, tree],
	];
}

/** Passes as GRUB's boot_hybrid.img where only its size and signature count. */
export const SYNTHETIC_BOOT_HYBRID: Uint8Array = syntheticBootHybrid();

function syntheticBootHybrid(): Buffer {
	const bytes = Buffer.alloc(512);
	bytes.fill(0x90, 0, 0x1b0);
	bytes.writeUInt16LE(0xaa55, 510);
	return bytes;
}

/** Makes `tree` with the two boot images, whose content is noise without meaning. */
export function writeBootParts(tree: string): void {
	mkdirSync(join(tree, "images"), { recursive: true });
	const noise = (byteLength: number) =>
		Buffer.from(Array.from({ length: byteLength }, (_, i) => (i * 131 + (i >> 8)) % 251));
	writeFileSync(join(tree, ELTORITO_PATH), noise(30172));
	writeFileSync(join(tree, EFI_PATH), noise(2 ** 20));
}

/** A file as a source; to be closed. */
export function fileSource(path: string): ByteSource & { close(): void } {
	const file = openSync(path, "r");
	const byteLength = fstatSync(file).size;
	return {
		byteLength,
		read(position, length) {
			if (position < 0 || position + length > byteLength)
				return Promise.reject(unexpectedEnd(position, length, byteLength));
			const bytes = Buffer.alloc(length);
			readSync(file, bytes, 0, length, position);
			return Promise.resolve(bytes);
		},
		close: () => closeSync(file),
	};
}

/** GRUB's BIOS files, from the system or, in development, from `OCI2ISO_TEST_GRUB_PC`. */
export function grubPcDirectory(): string | undefined {
	return [process.env["OCI2ISO_TEST_GRUB_PC"], "/usr/lib/grub/i386-pc", "/usr/lib/grub2/i386-pc"].find(
		(each) => each !== undefined && existsSync(join(each, "boot_hybrid.img")),
	);
}
