import { displayName } from "../binary/byte-string.ts";
import { sorting } from "../binary/sorting.ts";
import type { Steps } from "../binary/turns.ts";
import { DISK_BLOCK_BYTES, divideCeil, ISO_BLOCK_BYTES } from "../binary/units.ts";
import type { Findings } from "../findings/findings.ts";
import type { BootImage } from "../formats/eltorito/boot-catalog.ts";
import type { GptHeader, GptPartition } from "../formats/gpt/gpt.ts";
import type { Volume, VolumeDirectory } from "../formats/iso9660/volume.ts";
import type { VolumeDescriptor } from "../formats/iso9660/volume-descriptor.ts";
import { directoriesOf, nodesOf } from "./medium-files.ts";
import { endOf, type RootImage } from "./root-images.ts";

interface Occupied {
	/** 2048-byte blocks from the start of the image. */
	readonly block: number;
	readonly blocks: number;
	readonly what: string;
}

interface Placed {
	readonly first: Volume;
	/** File systems of the first volume that have blocks in common. */
	readonly images: readonly RootImage[];
	readonly second: { readonly volume: Volume; readonly startBlock: number } | undefined;
	readonly catalog: { readonly block: number; readonly images: readonly BootImage[] } | undefined;
	readonly backupGpt: GptHeader | undefined;
	readonly efiSystem: GptPartition | undefined;
	readonly imageBlocks: number;
}

/** No two things share a block unless they are one: hard links, files of one body, an EFI image that is also a partition, file systems with the same contents. In steps. */
export function* checkExtents(placed: Placed, findings: Findings): Steps<void> {
	const all: Occupied[] = [{ block: 0, blocks: 16, what: "the system area" }];
	yield* addVolume(all, placed.first, 0, "", placed.images);
	if (placed.second !== undefined)
		yield* addVolume(all, placed.second.volume, placed.second.startBlock, "the partition's ", []);
	if (placed.catalog !== undefined) all.push({ block: placed.catalog.block, blocks: 1, what: "the boot catalog" });
	const { efiSystem, backupGpt, imageBlocks } = placed;
	const perBlock = ISO_BLOCK_BYTES / DISK_BLOCK_BYTES;
	if (efiSystem !== undefined) {
		const block = Math.floor(efiSystem.firstBlock / perBlock);
		const end = divideCeil(efiSystem.lastBlock + 1, perBlock);
		all.push({ block, blocks: end - block, what: "the EFI system partition" });
	}
	if (backupGpt !== undefined) {
		const block = Math.floor(backupGpt.entriesBlock / perBlock);
		all.push({ block, blocks: imageBlocks - block, what: "the backup GPT" });
	}
	const occupied: Occupied[] = [];
	for (const each of all) {
		if (each.blocks > 0) occupied.push(each);
		yield;
	}
	const sorted = yield* sorting(occupied, (a, b) => a.block - b.block || b.blocks - a.blocks);
	let last: Occupied | undefined;
	for (const each of sorted) {
		yield;
		const end = each.block + each.blocks;
		if (end > imageBlocks) findings.fault(`${each.what} ends at block ${end}`, undefined, `at most ${imageBlocks}`);
		const isSame = last?.block === each.block && last.blocks === each.blocks && isShareable(last) && isShareable(each);
		if (last !== undefined && each.block < last.block + last.blocks && !isSame)
			findings.fault(`${each.what} lies over ${last.what}`, `block ${each.block}`, "blocks of its own");
		if (last === undefined || end > last.block + last.blocks) last = each;
	}
	findings.detail = `${sorted.length} extents`;
}

/** File bodies may be one, and a file may be the EFI system partition or the boot catalog. */
function isShareable({ what }: Occupied): boolean {
	return what.startsWith("/") || what === "the EFI system partition" || what === "the boot catalog";
}

function* addVolume(
	all: Occupied[],
	volume: Volume,
	start: number,
	whose: string,
	images: readonly RootImage[],
): Steps<void> {
	const descriptors = 2 + volume.bootRecords.length + (volume.joliet === undefined ? 0 : 1);
	all.push({ block: start + 16, blocks: descriptors, what: `${whose}volume descriptors` });
	yield* addTree(all, volume.primary, volume.root, start, `${whose}`);
	if (volume.joliet !== undefined && volume.jolietRoot !== undefined)
		yield* addTree(all, volume.joliet, volume.jolietRoot, start, `${whose}Joliet `);
	if (start > 0) return;
	for (const [path, node] of nodesOf(volume.root)) {
		yield;
		if (node.type !== "file") continue;
		// Sections follow each other: one body.
		const [first] = node.extents;
		if (first === undefined || node.byteLength === 0) continue;
		// What it has in common with the one before is that one's.
		const before = images[images.findIndex(({ file }) => file === node) - 1];
		if (before !== undefined) {
			all.push({ block: endOf(before.file), blocks: endOf(node) - endOf(before.file), what: `/${displayName(path)}` });
			continue;
		}
		const blocks = divideCeil(node.byteLength, ISO_BLOCK_BYTES);
		all.push({ block: first.block, blocks, what: `/${displayName(path)}` });
		let next = first.block;
		for (const { block, byteLength } of node.extents) {
			if (block !== next)
				all.push({ block, blocks: divideCeil(byteLength, ISO_BLOCK_BYTES), what: `/${displayName(path)}` });
			next = block + divideCeil(byteLength, ISO_BLOCK_BYTES);
		}
	}
}

function* addTree(
	all: Occupied[],
	descriptor: VolumeDescriptor,
	root: VolumeDirectory,
	start: number,
	whose: string,
): Steps<void> {
	const tableBlocks = divideCeil(descriptor.pathTableByteLength, ISO_BLOCK_BYTES);
	for (const block of [descriptor.littleEndianPathTableBlock, descriptor.bigEndianPathTableBlock])
		all.push({ block: start + block, blocks: tableBlocks, what: `${whose}path table` });
	for (const [path, { extent }] of yield* directoriesOf(root))
		all.push({
			block: start + extent.block,
			blocks: extent.byteLength / ISO_BLOCK_BYTES,
			what: `${whose}directory /${displayName(path)}`,
		});
}
