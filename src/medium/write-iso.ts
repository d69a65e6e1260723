import { DISK_BLOCK_BYTES, ISO_BLOCK_BYTES } from "../binary/units.ts";
import { assert, assertNever, throwIfAborted } from "../errors.ts";
import { type BootImage, encodeBootCatalog, loadSectors } from "../formats/eltorito/boot-catalog.ts";
import { patchBootImage } from "../formats/eltorito/boot-info.ts";
import { encodeBootRecord } from "../formats/eltorito/boot-record.ts";
import type { FatImage } from "../formats/fat/build-fat.ts";
import { encodeBackupGpt, encodePrimaryGpt, type GptPart } from "../formats/gpt/gpt.ts";
import { encodeMbr } from "../formats/gpt/mbr.ts";
import { FIRST_DESCRIPTOR_BLOCK, finishVolume } from "../formats/iso9660/finish-volume.ts";
import type { Target } from "../output/target.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { BodySource, IsoLayout } from "./iso-layout.ts";

/** Sectors of a BIOS boot image that the firmware loads: its first 2048 bytes, which load the rest. */
export const BIOS_LOAD_SECTORS = 4;

interface IsoContents {
	readonly tree: ImageTree;
	readonly esp: FatImage;
	/** As the tool made it, for a layout with a place for it; that place is patched in here. */
	readonly elToritoImage: Uint8Array | undefined;
	readonly signal?: AbortSignal | undefined;
	/** Called with the bytes written so far. */
	readonly onBytes: (bytes: number) => void;
}

/** Bytes and where on the medium they go, valid until the next piece is asked for. */
export interface Piece {
	readonly position: number;
	readonly bytes: Uint8Array;
}

/** What precedes the root file system: system area, volume descriptors. `bootHybrid` and `isActive` as `encodeMbr` takes them. */
export function* frontPieces(
	{ volume, disk, ...layout }: IsoLayout,
	bootHybrid: Uint8Array | undefined,
	mbr: { readonly isActive?: boolean } = {},
): Generator<Piece> {
	const descriptors = finishVolume(volume, {
		imageBlocks: disk.imageBlocks,
		bootRecords: [encodeBootRecord(layout.bootCatalogBlock)],
	});
	for (const { block, bytes } of descriptors) yield { position: block * ISO_BLOCK_BYTES, bytes };
	const { elToritoBlock } = layout;
	const boot = bootHybrid && elToritoBlock !== undefined ? { bootHybrid, elToritoBlock } : undefined;
	yield { position: 0, bytes: encodeMbr(boot, disk.imageSectors, mbr) };
	yield sectors(encodePrimaryGpt(disk.gpt));
}

/** What follows the root file system: tables, files, EFI system partition, backup GPT. Whatever is in no piece is zero. */
export async function* restPieces(layout: IsoLayout, contents: Omit<IsoContents, "onBytes">): AsyncGenerator<Piece> {
	const { volume, disk } = layout;
	for (const { block, bytes } of volume.tables) yield { position: block * ISO_BLOCK_BYTES, bytes };
	for (const { contentKey, block, fixed } of volume.files) {
		const source = layout.sources.get(contentKey);
		if (fixed || source === undefined) continue;
		let position = block * ISO_BLOCK_BYTES;
		for await (const bytes of bodyChunks(source, layout, contents)) {
			yield { position, bytes };
			position += bytes.byteLength;
		}
	}
	let position = disk.efiSystemBlock * ISO_BLOCK_BYTES;
	for (const bytes of contents.esp.chunks()) {
		yield { position, bytes };
		position += bytes.byteLength;
	}
	yield sectors(encodeBackupGpt(disk.gpt));
}

/**
 * Sets the target's length and writes what precedes the root file system. Everything up to the end of the root file system is then final, but for the media
 * checksum.
 */
export function writeFront(target: Target, layout: IsoLayout, bootHybrid: Uint8Array | undefined): void {
	target.truncate(layout.disk.imageBlocks * ISO_BLOCK_BYTES);
	for (const { position, bytes } of frontPieces(layout, bootHybrid)) target.write(position, bytes);
}

export async function writeRest(target: Target, layout: IsoLayout, contents: IsoContents): Promise<void> {
	let written = 0;
	for await (const { position, bytes } of restPieces(layout, contents)) {
		throwIfAborted(contents.signal);
		target.write(position, bytes);
		written += bytes.byteLength;
		contents.onBytes(written);
	}
}

function sectors({ block, bytes }: GptPart): Piece {
	return { position: block * DISK_BLOCK_BYTES, bytes };
}

async function* bodyChunks(
	source: BodySource,
	layout: IsoLayout,
	contents: Omit<IsoContents, "onBytes">,
): AsyncGenerator<Uint8Array> {
	switch (source.kind) {
		case "image":
			yield* contents.tree.stream(source.inode);
			return;
		case "stream":
			yield* source.file.stream(contents.signal);
			return;
		case "bytes":
			yield source.bytes;
			return;
		case "esp":
			yield* contents.esp.chunks();
			return;
		case "boot-catalog":
			yield bootCatalog(layout);
			return;
		case "el-torito":
			assert(contents.elToritoImage && layout.elToritoBlock !== undefined, "a place for BIOS without an image");
			yield patchBootImage(contents.elToritoImage, {
				pvdBlock: FIRST_DESCRIPTOR_BLOCK,
				imageBlock: layout.elToritoBlock,
			});
			return;
		case "rootfs":
			return;
		default:
			assertNever(source);
	}
}

function bootCatalog({ elToritoBlock, disk }: IsoLayout): Uint8Array {
	const espBytes = disk.efiSystemBlocks * ISO_BLOCK_BYTES;
	const uefi: BootImage = { platform: "uefi", block: disk.efiSystemBlock, sectorCount: loadSectors(espBytes) };
	if (elToritoBlock === undefined) return encodeBootCatalog([uefi]);
	return encodeBootCatalog([{ platform: "bios", block: elToritoBlock, sectorCount: BIOS_LOAD_SECTORS }, uefi]);
}
