import { crc32 } from "node:zlib";
import { memorySource, region } from "../../src/binary/byte-source.ts";
import type { Field, Fields, RecordType } from "../../src/binary/record.ts";
import { ISO_BLOCK_BYTES } from "../../src/binary/units.ts";
import { bootEntry, sectionHeader, validationEntry } from "../../src/formats/eltorito/boot-catalog.ts";
import { bootInfoTable } from "../../src/formats/eltorito/boot-info.ts";
import { bootRecordDescriptor } from "../../src/formats/eltorito/boot-record.ts";
import { fat16BootSector } from "../../src/formats/fat/boot-sector.ts";
import { directoryEntry } from "../../src/formats/fat/directory-entry.ts";
import { gptEntry, gptHeader } from "../../src/formats/gpt/gpt.ts";
import { hybridMbr, mbrPartition } from "../../src/formats/gpt/mbr.ts";
import { directoryRecordHead } from "../../src/formats/iso9660/directory-record.ts";
import { readVolume } from "../../src/formats/iso9660/read-volume.ts";
import type { VolumeDirectory } from "../../src/formats/iso9660/volume.ts";
import { descriptorHead, jolietDescriptor, primaryDescriptor } from "../../src/formats/iso9660/volume-descriptor.ts";
import { SUPERBLOCK } from "../../src/rootfs/squashfs/superblock.ts";
import { nodesOf } from "../../src/verify/medium-files.ts";
import type { SmallIso } from "./verify-iso-fixture.ts";

/** A stretch of the ISO whose every byte is checked, or whose fields are. */
export interface Area {
	readonly name: string;
	readonly start: number;
	readonly byteLength: number;
	/** Fields at places relative to `start`; byte mutations only where absent. */
	readonly records?: readonly { readonly record: RecordType<Fields>; readonly at: number }[];
	/** Makes the checksums right again that cover a field of this area, so that not they are what tells. */
	readonly repair?: (bytes: Buffer) => void;
}

/** One change that can be taken back. */
export interface Mutation {
	readonly area: string;
	readonly what: string;
	/** Undefined: the ISO is cut to this many bytes instead. */
	readonly truncateTo?: number;
	undo(): void;
}

/** Small, fast, seeded: mulberry32. */
export function randomNumbers(seed: number): (below: number) => number {
	let state = seed;
	return (below) => {
		state = (state + 0x6d2b79f5) | 0;
		let t = Math.imul(state ^ (state >>> 15), 1 | state);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
	};
}

/** Flips a bit, or overwrites one, two or four bytes, within an area. */
export function mutateBytes(bytes: Buffer, area: Area, random: (below: number) => number): Mutation {
	for (;;) {
		const length = Math.min([1, 1, 2, 4][random(4)] ?? 1, area.byteLength);
		const at = area.start + random(area.byteLength - length + 1);
		const before = Buffer.from(bytes.subarray(at, at + length));
		if (random(2) === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
		else for (let i = 0; i < length; i++) bytes[at + i] = [0, 0xff, random(256)][random(3)] ?? 0;
		if (bytes.subarray(at, at + length).equals(before)) continue;
		const after = bytes.toString("hex", at, at + length);
		const what = `bytes ${at - area.start}: ${before.toString("hex")} to ${after}`;
		return { area: area.name, what, undo: () => void bytes.set(before, at) };
	}
}

/** Gives one field another value, both byte orders of it where it has two, and repairs the checksums over it. */
export function mutateField(bytes: Buffer, area: Area, random: (below: number) => number): Mutation {
	const { records = [] } = area;
	const before = Buffer.from(bytes);
	for (;;) {
		const chosen = records[random(records.length)];
		if (chosen === undefined) throw new Error(`${area.name} has no records`);
		const { record, at } = chosen;
		const names = Object.keys(record.fields);
		const name = names[random(names.length)] ?? "";
		const field = record.fields[name];
		if (field === undefined) continue;
		const start = area.start + at;
		const view = new DataView(bytes.buffer, bytes.byteOffset + start, record.byteLength);
		const value: unknown = field.decode(view, field.offset);
		const other = otherValue(value, field, random);
		if (other === undefined || other === value) {
			const place = start + field.offset + random(field.byteLength);
			bytes[place] = (bytes[place] ?? 0) ^ (1 << random(8));
		} else field.encode(other, view, field.offset);
		area.repair?.(bytes);
		if (bytes.equals(before)) continue;
		const shown = typeof value === "object" ? "…" : String(value);
		const what = `${record.name}.${name} at ${at}: ${shown} to ${other === undefined ? "a flipped bit" : String(other)}`;
		return { area: area.name, what, undo: () => void before.copy(bytes) };
	}
}

function otherValue(value: unknown, { byteLength }: Field<unknown>, random: (below: number) => number): unknown {
	if (typeof value === "bigint") return [0n, 1n, value + 1n, 2n ** 40n][random(4)];
	if (typeof value !== "number" || !Number.isFinite(value)) return undefined;
	// Four bytes may be 16 bits in both byte orders, eight bytes 32.
	const limit = byteLength === 4 && value < 2 ** 16 ? 2 ** 16 : byteLength >= 4 ? 2 ** 32 : 2 ** (8 * byteLength);
	return [0, 1, Math.min(value + 1, limit - 1), Math.max(0, value - 1), limit - 1, random(limit)][random(6)];
}

/** Files whose content something vouches for: a signature, a copy, GRUB's own image. The rest has only the media checksum. */
const COVERED_FILES: readonly { readonly pattern: RegExp; readonly from?: number; readonly to?: number }[] = [
	{ pattern: /^EFI\// },
	{ pattern: /^images\/pxeboot\/vmlinuz$/ },
	{ pattern: /^images\/efiboot\.img$/ },
	{ pattern: /^boot\/grub2\/i386-pc\/boot_hybrid\.img$/, to: 0x1b0 },
	// Where grub-mkimage and xorriso fill in places, nothing is compared.
	{ pattern: /^boot\/grub2\/i386-pc\/cdboot\.img$/, from: 64 },
	{ pattern: /^boot\/grub2\/i386-pc\/diskboot\.img$/, to: 500 },
	{ pattern: /^boot\/grub2\/i386-pc\/lzma_decompress\.img$/, from: 32 },
];

/** Everything on a small ISO that `verifyIso` says it checks, by itself and without the media checksum. */
export async function checkedAreas({ bytes, layout, squashfsBytes }: SmallIso): Promise<Area[]> {
	const { disk, volume } = layout;
	const block = (number: number): number => number * ISO_BLOCK_BYTES;
	const of = (record: RecordType<never>, at = 0) => ({ record: record as unknown as RecordType<Fields>, at });
	const any = <Table extends Fields>(record: RecordType<Table>, at = 0) =>
		of(record as unknown as RecordType<never>, at);
	const descriptor = (name: string, number: number, record: RecordType<Fields>): Area => {
		// The application-use area belongs to the media checksum.
		const { applicationUse: _, ...fields } = record.fields;
		return { name, start: block(number), byteLength: 883, records: [any({ ...record, fields })] };
	};
	const areas: Area[] = [
		descriptor("primary descriptor", 16, primaryDescriptor as unknown as RecordType<Fields>),
		{ name: "boot record", start: block(17), byteLength: 2048, records: [any(bootRecordDescriptor)] },
		descriptor("Joliet descriptor", 18, jolietDescriptor as unknown as RecordType<Fields>),
		{ name: "terminator", start: block(19), byteLength: 2048, records: [any(descriptorHead)] },
		descriptor("partition's primary descriptor", 32, primaryDescriptor as unknown as RecordType<Fields>),
		descriptor("partition's Joliet descriptor", 33, jolietDescriptor as unknown as RecordType<Fields>),
		{ name: "partition's terminator", start: block(34), byteLength: 2048, records: [any(descriptorHead)] },
		{
			name: "MBR",
			start: 0,
			byteLength: 512,
			records: [any(hybridMbr), ...[0, 16, 32, 48].map((at) => any(mbrPartition, 0x1be + at))],
		},
		gptArea("primary GPT", 512, 1024, disk.gpt.partitions.length),
		gptArea("backup GPT", bytes.byteLength - 512, bytes.byteLength - 512 - 62 * 512, disk.gpt.partitions.length),
		{ name: "primary GPT entries", start: 1024, byteLength: 62 * 512 },
		{ name: "backup GPT entries", start: bytes.byteLength - 512 - 62 * 512, byteLength: 62 * 512 },
		{
			name: "boot catalog",
			start: block(layout.bootCatalogBlock),
			byteLength: 2048,
			records: [any(validationEntry), any(bootEntry, 32), any(sectionHeader, 64), any(bootEntry, 96)],
			repair: (all) => repairValidation(all.subarray(block(layout.bootCatalogBlock))),
		},
		{
			name: "boot image",
			start: block(layout.elToritoBlock ?? 0),
			byteLength:
				volume.files.find(({ paths }) => paths.some((path) => path.endsWith("eltorito.img")))?.byteLength ?? 0,
			records: [any(bootInfoTable)],
		},
	];
	for (const { name, block: start, bytes: table } of volume.tables) {
		const length = name.includes("path table") ? table.byteLength : 0;
		if (length > 0) areas.push({ name, start: block(start), byteLength: length });
	}
	for (const [name, start] of [
		["", 0],
		["partition's ", 16],
	] as const) {
		const read = await readVolume(region(memorySource(bytes), block(start), bytes.byteLength - block(start)));
		areas.push(...directoryAreas(`${name}directory `, bytes, read.root, block(start)));
		if (read.jolietRoot !== undefined)
			areas.push(...directoryAreas(`${name}Joliet directory `, bytes, read.jolietRoot, block(start)));
		if (start > 0) continue;
		for (const [path, node] of nodesOf(read.root)) {
			const [extent] = node.type === "file" ? node.extents : [];
			const covered = COVERED_FILES.find(({ pattern }) => pattern.test(path));
			if (covered === undefined || extent === undefined || extent.byteLength === 0) continue;
			const { from = 0, to = extent.byteLength } = covered;
			areas.push({ name: `/${path}`, start: block(extent.block) + from, byteLength: to - from });
		}
	}
	const esp = block(disk.efiSystemBlock);
	const root = esp + (fat(bytes, esp, 14) + 2 * fat(bytes, esp, 22)) * 512;
	areas.push(
		{ name: "FAT boot sector", start: esp, byteLength: 512, records: [any(fat16BootSector)] },
		{ name: "FAT tables", start: esp + 512 * fat(bytes, esp, 14), byteLength: 512 },
		{ name: "FAT root", start: root, byteLength: 64, records: [any(directoryEntry)] },
		{ name: "EFI system partition", start: esp, byteLength: block(disk.efiSystemBlocks) },
	);
	const squashfs = block(64);
	areas.push(
		{ name: "squashfs superblock", start: squashfs, byteLength: 96, records: [any(SUPERBLOCK)] },
		...squashfsAreas(bytes, squashfs, squashfsBytes),
	);
	return areas;
}

function fat(bytes: Buffer, esp: number, offset: number): number {
	return bytes.readUInt16LE(esp + offset);
}

function squashfsAreas(bytes: Buffer, start: number, byteLength: number): Area[] {
	const superblock = SUPERBLOCK.decode(bytes, start);
	const places: [string, number][] = [
		["data", 96],
		["inode table", Number(superblock.inodeTable)],
		["directory table", Number(superblock.directoryTable)],
		["lookup tables", firstBlock(superblock.fragmentTable)],
		["end", byteLength],
	];
	return places.slice(0, -1).map(([name, from], i) => ({
		name: `squashfs ${name}`,
		start: start + from,
		byteLength: (places[i + 1]?.[1] ?? from) - from,
	}));

	function firstBlock(table: bigint): number {
		return Number(bytes.readBigUInt64LE(start + Number(table)));
	}
}

function directoryAreas(prefix: string, bytes: Buffer, root: VolumeDirectory, start: number): Area[] {
	const directories: [string, VolumeDirectory][] = [["/", root]];
	for (const [path, node] of nodesOf(root)) if (node.type === "directory") directories.push([`/${path}`, node]);
	return directories.flatMap(([path, { extent }]) => {
		const at = start + extent.block * ISO_BLOCK_BYTES;
		const records: { record: RecordType<Fields>; at: number }[] = [];
		let used = 0;
		while (used < 2048 && (bytes[at + used] ?? 0) > 0) {
			records.push({ record: directoryRecordHead as unknown as RecordType<Fields>, at: used });
			used += bytes[at + used] ?? 2048;
		}
		return [{ name: `${prefix}${path}`, start: at, byteLength: used, records }];
	});
}

/** A header with its entries; both CRCs are repaired. */
function gptArea(name: string, headerAt: number, entriesAt: number, entryCount: number): Area {
	const entries = Array.from({ length: entryCount }, (_, i) => ({
		record: gptEntry as unknown as RecordType<Fields>,
		at: entriesAt - headerAt + i * 128,
	}));
	// The CRCs themselves are the byte mutations' part.
	const { headerCrc: _, entriesCrc: __, ...fields } = gptHeader.fields;
	const header = { ...gptHeader, fields } as unknown as RecordType<Fields>;
	return {
		name,
		start: headerAt,
		byteLength: 92,
		records: [{ record: header, at: 0 }, ...entries],
		repair(bytes) {
			bytes.writeUInt32LE(crc32(bytes.subarray(entriesAt, entriesAt + 248 * 128)), headerAt + 88);
			bytes.writeUInt32LE(0, headerAt + 16);
			bytes.writeUInt32LE(crc32(bytes.subarray(headerAt, headerAt + 92)), headerAt + 16);
		},
	};
}

function repairValidation(catalog: Buffer): void {
	catalog.writeUInt16LE(0, 28);
	let sum = 0;
	for (let at = 0; at < 32; at += 2) sum = (sum + catalog.readUInt16LE(at)) & 0xffff;
	catalog.writeUInt16LE((0x10000 - sum) & 0xffff, 28);
}
