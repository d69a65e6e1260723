import type { Extent } from "../../content/extent-layout.ts";
import type { Stretch } from "../root-file-system.ts";
import { fileMapOf } from "./file-map.ts";
import type { StoredInode } from "./inode-reader.ts";
import type { Volume } from "./volume.ts";

/** The bytes that an inode has, with what describes its content; of a directory and a link also the content. Throws as `fileMapOf`. */
export async function inodeStretches(volume: Volume, inode: StoredInode): Promise<Stretch[]> {
	const { type, position, end } = inode;
	if (type !== "file" && type !== "directory" && type !== "symlink") return [{ start: position, end }];
	const map = await fileMapOf(volume, inode);
	const own = [{ start: position, end: Math.max(end, map.metadataEnd) }];
	if (type === "file" || inode.byteLength === 0) return own;
	const extents: Extent[] = [];
	for await (const extent of map.extents()) extents.push(extent);
	const outside = extents.flatMap(({ position: start, storedBytes }) =>
		start === undefined || start === end ? [] : [{ start, end: start + storedBytes }],
	);
	return [...own, ...outside];
}
