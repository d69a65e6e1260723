import type { ByteSource } from "../binary/byte-source.ts";
import type { ByteString } from "../binary/byte-string.ts";
import { divideCeil, ISO_BLOCK_BYTES } from "../binary/units.ts";
import { ISO_PATHS } from "../boot/iso-paths.ts";
import { findNode, type VolumeDirectory, type VolumeFile } from "../formats/iso9660/volume.ts";
import { HEAD_BYTES } from "../rootfs/root-file-system.ts";
import { rootFileSystemAt } from "../rootfs/root-file-systems.ts";
import { fileAt, readFileHead } from "./medium-files.ts";

/** A file system on the medium. */
export interface RootImage {
	/** Without leading slash. */
	readonly path: ByteString;
	readonly file: VolumeFile;
	/** Bytes from the beginning of the first one; a multiple of `HEAD_BYTES`. */
	readonly start: number;
}

/**
 * The root file system and, behind it in the list, those that have contents in common with it: files beside it whose heads follow its own one by one, and of which each ends behind
 * the one before. Empty where there is no root file system.
 */
export async function rootImagesOn(source: ByteSource, root: VolumeDirectory): Promise<RootImage[]> {
	const file = fileAt(root, ISO_PATHS.rootFs);
	if (file === undefined) return [];
	const images: RootImage[] = [{ path: ISO_PATHS.rootFs, file, start: 0 }];
	const directory = ISO_PATHS.rootFs.slice(0, ISO_PATHS.rootFs.lastIndexOf("/"));
	const node = findNode(root, directory);
	const beside = node?.type === "directory" ? [...node.entries] : [];
	for (let start = HEAD_BYTES, end = endOf(file); ; start += HEAD_BYTES) {
		const block = blockOf(file) + start / ISO_BLOCK_BYTES;
		const next = beside.find(
			([, each]) => each.type === "file" && blockOf(each) === block && block < end && endOf(each) > end,
		);
		if (next?.[1].type !== "file" || rootFileSystemAt(await readFileHead(source, next[1], HEAD_BYTES)) === undefined)
			return images;
		images.push({ path: `${directory}/${next[0]}`, file: next[1], start });
		end = endOf(next[1]);
	}
}

/** Where an image's blocks are, which follow each other. */
export function blockOf({ extents: [first] }: VolumeFile): number {
	return first?.block ?? 0;
}

/** The first block behind it. */
export function endOf(file: VolumeFile): number {
	return blockOf(file) + divideCeil(file.byteLength, ISO_BLOCK_BYTES);
}
