import { byteStringOf } from "../../binary/byte-string.ts";
import { corrupt } from "../../errors.ts";
import { MAX_TARGET_BYTES } from "../../tree/path.ts";
import { deviceOf } from "../limits.ts";
import type { RootDirectory, RootInode } from "../root-inode.ts";
import { ENTRY_TYPE } from "./constants.ts";
import { readDirectory } from "./directory-reader.ts";
import type { ErofsContents } from "./erofs-contents.ts";
import { fileMapOf } from "./file-map.ts";
import type { InodeReader, StoredInode } from "./inode-reader.ts";
import type { Volume } from "./volume.ts";

interface TreeParts {
	readonly volume: Volume;
	readonly inodes: InodeReader;
	readonly contents: ErofsContents;
}

interface PendingDirectory {
	readonly inode: RootDirectory;
	readonly stored: StoredInode;
	/** Its place, and that of the directory it is in. */
	readonly parent: number;
}

/** Told of each inode, once. */
export type InodeVisitor = (stored: StoredInode, inode: RootInode) => void;

/** Reads the whole tree. Inodes are numbered as they are found. Throws `Oci2isoError` CORRUPT_METADATA; memory is bounded by the image's length. */
export async function readTree({ volume, inodes, contents }: TreeParts, visit?: InodeVisitor): Promise<RootDirectory> {
	const { rootNumber, image, blockBytes } = volume;
	const byNumber = new Map<number, RootInode>();
	const pending: PendingDirectory[] = [];
	let directoryBytes = 0;

	const add = async (number: number, parent: number): Promise<RootInode> => {
		const stored = await inodes.read(number);
		const inode = await rootInode(stored, byNumber.size + 1);
		byNumber.set(number, inode);
		visit?.(stored, inode);
		if (inode.type !== "directory") return inode;
		pending.push({ inode, stored, parent });
		// Directories do not overlap in a sound image; a hostile one could name one long content from every directory.
		directoryBytes += stored.byteLength;
		if (directoryBytes > image.byteLength)
			throw corrupt("CORRUPT_METADATA", "the directories are longer than the image");
		return inode;
	};

	const rootInode = async (stored: StoredInode, inodeNumber: number): Promise<RootInode> => {
		const { type, mode, uid, gid, mtime, xattrs, linkCount, byteLength, number } = stored;
		const common = { mode, uid, gid, mtime, xattrs, inodeNumber, linkCount };
		switch (type) {
			case "directory":
				return { type, ...common, entries: new Map() };
			case "file":
				return { type, ...common, byteLength, sparseBytes: 0, layout: await fileMapOf(volume, stored) };
			case "symlink": {
				if (byteLength === 0 || byteLength > MAX_TARGET_BYTES)
					throw corrupt("CORRUPT_METADATA", `a symbolic link has a target of ${byteLength} bytes`, `inode ${number}`);
				return { type, ...common, target: byteStringOf(await contents.whole(await fileMapOf(volume, stored))) };
			}
			case "fifo":
			case "socket":
				return { type, ...common };
			default:
				return { type, ...common, ...deviceOf(stored.location ?? 0) };
		}
	};

	const root = await add(rootNumber, rootNumber);
	if (root.type !== "directory") throw corrupt("CORRUPT_METADATA", "the root is not a directory");
	for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
		const { stored, parent, inode: directory } = next;
		const where = `inode ${stored.number}`;
		const dots = new Set(stored.omitsDot ? ["."] : []);
		for (const { name, type, number } of readDirectory(
			await contents.whole(await fileMapOf(volume, stored)),
			blockBytes,
			where,
		)) {
			if (name === "." || name === "..") {
				dots.add(name);
				const expected = name === "." ? stored.number : parent;
				if (number !== expected || type !== ENTRY_TYPE.directory)
					throw corrupt("CORRUPT_METADATA", `the entry "${name}" leads to inode ${number}`, where, `inode ${expected}`);
				continue;
			}
			const known = byNumber.get(number);
			if (known?.type === "directory") throw corrupt("CORRUPT_METADATA", "a directory is in the tree twice", where);
			const inode = known ?? (await add(number, stored.number));
			if (ENTRY_TYPE[inode.type] !== type)
				throw corrupt("CORRUPT_METADATA", `an entry does not agree with inode ${number}`, where);
			directory.entries.set(name, inode);
		}
		if (dots.size < 2) throw corrupt("CORRUPT_METADATA", 'a directory lacks its entries "." and ".."', where);
	}
	return root;
}
