import { type ByteString, byteStringFromText, displayName } from "../binary/byte-string.ts";
import { divideCeil, ISO_BLOCK_BYTES } from "../binary/units.ts";
import { type BootFile, contentKeyOf } from "../boot/boot-files.ts";
import { ISO_PATHS } from "../boot/iso-paths.ts";
import type { FatImage } from "../formats/fat/build-fat.ts";
import { type DiskGuids, type DiskLayout, layOutDisk } from "../formats/gpt/disk-layout.ts";
import { blockOfContent, planVolume, type VolumePlan } from "../formats/iso9660/plan-volume.ts";
import type { IsoFile } from "../formats/iso9660/tree.ts";
import type { FileInode } from "../tree/inode.ts";
import type { FurtherImage } from "./further-image.ts";
import { buildMediaTree, generatedAttributes } from "./media-tree.ts";
import type { MediumFile } from "./medium-file.ts";

/** Block of the root file system, whose superblock precedes everything that is known late: a multiple of 128 KiB, after both descriptor sets. */
export const ROOT_FS_BLOCK = 64;

/** Where the bytes of a file body come from. */
export type BodySource =
	| { readonly kind: "image"; readonly inode: FileInode }
	| { readonly kind: "bytes"; readonly bytes: Uint8Array }
	| { readonly kind: "stream"; readonly file: MediumFile }
	| { readonly kind: "rootfs" }
	| { readonly kind: "boot-catalog" }
	| { readonly kind: "el-torito" }
	| { readonly kind: "esp" };

/** What goes at which block; pure, and printable with `describeLayout`. */
export interface IsoLayout {
	readonly volume: VolumePlan;
	readonly disk: DiskLayout;
	/** By content key. */
	readonly sources: ReadonlyMap<string, BodySource>;
	readonly bootCatalogBlock: number;
	/** Undefined where nothing is there for BIOS. */
	readonly elToritoBlock: number | undefined;
}

interface IsoParts {
	readonly label: string;
	readonly epochSeconds: number;
	readonly rootFsBytes: number;
	/** In the order of their beginnings and ends. */
	readonly furtherImages?: readonly FurtherImage[] | undefined;
	/** Undefined where nothing is there for BIOS. */
	readonly elToritoBytes: number | undefined;
	readonly esp: FatImage;
	/** Whether a copy of it is in the tree. */
	readonly hasEfiImage: boolean;
	readonly bootFiles: readonly BootFile[];
	readonly otherFiles?: readonly MediumFile[] | undefined;
	readonly guids: DiskGuids;
	/** Names the program in the volume descriptor. */
	readonly preparer: string;
}

const BOOT_CATALOG_KEY = "boot-catalog";
const EL_TORITO_KEY = "el-torito";

/** Lays out the whole medium. */
export function layOutIso(parts: IsoParts): IsoLayout {
	const { epochSeconds, rootFsBytes, furtherImages = [], elToritoBytes, esp } = parts;
	const sources = new Map<string, BodySource>();
	const made = (contentKey: string, byteLength: number, source: BodySource, fixedBlock?: number): IsoFile => {
		sources.set(contentKey, source);
		return { ...generatedAttributes(0o644, epochSeconds), type: "file", byteLength, contentKey, fixedBlock };
	};
	const rootFs = made("rootfs", rootFsBytes, { kind: "rootfs" }, ROOT_FS_BLOCK);
	const files: [ByteString, IsoFile][] = [
		[ISO_PATHS.rootFs, rootFs],
		...furtherImages.map(({ path, start, byteLength }): [ByteString, IsoFile] => [
			path,
			made(`rootfs ${path}`, byteLength, { kind: "rootfs" }, ROOT_FS_BLOCK + start / ISO_BLOCK_BYTES),
		]),
		...(elToritoBytes === undefined
			? []
			: [[ISO_PATHS.coreImage, made(EL_TORITO_KEY, elToritoBytes, { kind: "el-torito" })] as [ByteString, IsoFile]]),
		...(parts.hasEfiImage
			? [[ISO_PATHS.efiImage, made("esp", esp.byteLength, { kind: "esp" })] as [ByteString, IsoFile]]
			: []),
	];
	for (const { iso, content } of parts.bootFiles) {
		if (iso === undefined) continue;
		if (content.kind === "generated") {
			files.push([iso, made(`generated ${iso}`, content.bytes.byteLength, { kind: "bytes", bytes: content.bytes })]);
			continue;
		}
		if (content.kind === "rootfs") {
			files.push([iso, rootFs]);
			continue;
		}
		const { inode } = content.file;
		const { mode, uid, gid, mtime, byteLength } = inode;
		const contentKey = content.contentKey ?? contentKeyOf(inode);
		sources.set(contentKey, { kind: "image", inode });
		files.push([iso, { type: "file", mode, uid, gid, mtimeSeconds: mtime.seconds, byteLength, contentKey }]);
	}
	for (const file of parts.otherFiles ?? [])
		files.push([file.path, made(`stream ${file.contentKey}`, file.byteLength, { kind: "stream", file })]);
	sources.set(BOOT_CATALOG_KEY, { kind: "boot-catalog" });
	const volume = planVolume(buildMediaTree(files, epochSeconds), {
		volumeIdentifier: byteStringFromText(parts.label),
		systemIdentifier: "LINUX",
		preparer: parts.preparer,
		timestampSeconds: epochSeconds,
		firstFreeBlock: ROOT_FS_BLOCK + divideCeil(endOfImages({ rootFsBytes, furtherImages }), ISO_BLOCK_BYTES),
		partitionOffsetBlocks: 16,
		hiddenFiles: [{ contentKey: BOOT_CATALOG_KEY, byteLength: ISO_BLOCK_BYTES }],
	});
	return {
		volume,
		disk: layOutDisk(volume.endBlock, esp.byteLength, parts.guids),
		sources,
		bootCatalogBlock: blockOfContent(volume, BOOT_CATALOG_KEY),
		elToritoBlock: elToritoBytes === undefined ? undefined : blockOfContent(volume, EL_TORITO_KEY),
	};
}

/** Behind the last file system, in bytes from the first one's beginning. */
export function endOfImages({ rootFsBytes, furtherImages }: Pick<IsoParts, "rootFsBytes" | "furtherImages">): number {
	const last = furtherImages?.at(-1);
	return last === undefined ? rootFsBytes : last.start + last.byteLength;
}

/** Blocks of 2048 bytes in a row, and what is there. */
export interface Region {
	readonly block: number;
	readonly blocks: number;
	readonly what: string;
	/** File contents by their kind; undefined for what only describes them. */
	readonly source: BodySource["kind"] | undefined;
}

/** Everything on the medium, in its order; what is in none of them is zero. What several file systems have in common is the first one's. */
export function regionsOf({ volume, disk, sources }: IsoLayout): Region[] {
	const region = (block: number, blocks: number, what: string, source?: Region["source"]): Region => ({
		block,
		blocks,
		what,
		source,
	});
	const blocks = (byteLength: number): number => divideCeil(byteLength, ISO_BLOCK_BYTES);
	const regions = [
		region(0, 16, "system area: MBR, GPT header and entries"),
		region(16, 4, "volume descriptors"),
		region(32, 3, "volume descriptors of the partition at block 16"),
		...volume.tables.map(({ block, bytes, name }) => region(block, blocks(bytes.byteLength), name)),
		...volume.files.map(({ block, byteLength, paths, contentKey }) =>
			region(
				block,
				blocks(byteLength),
				paths.length === 0 ? contentKey : paths.map(displayName).join(" "),
				sources.get(contentKey)?.kind,
			),
		),
		region(disk.efiSystemBlock, disk.efiSystemBlocks, "EFI system partition", "esp"),
		region(disk.paddingBlock, disk.paddingBlocks, "padding"),
		region(disk.backupGptBlock, disk.imageBlocks - disk.backupGptBlock, "backup GPT"),
	].sort((a, b) => a.block - b.block);
	let end = 0;
	return regions.map((each) => {
		const own = Math.max(0, end - each.block);
		end = Math.max(end, each.block + each.blocks);
		return { ...each, block: each.block + own, blocks: each.blocks - own };
	});
}

/** One line per thing on the medium: first block, blocks (of 2048 bytes), what. */
export function describeLayout(layout: IsoLayout): string {
	const lines = regionsOf(layout).map(
		({ block, blocks, what }) => `${String(block).padStart(10)} ${String(blocks).padStart(10)}  ${what}`,
	);
	return `${["     block     blocks  content", ...lines].join("\n")}\n`;
}
