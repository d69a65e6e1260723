import { type ByteString, displayName } from "../binary/byte-string.ts";
import { corrupt } from "../errors.ts";
import type { TarEntry } from "../formats/tar/entry.ts";
import type { DirectoryInode, Inode, InodeAttributes } from "./inode.ts";
import { baseName, MAX_PATH_BYTES, MAX_TARGET_BYTES } from "./path.ts";

/** Names of the OCI image specification, "Layer Filesystem Changeset", "Whiteouts". */
export const WHITEOUT_PREFIX = ".wh.";
const OPAQUE_WHITEOUT = ".wh..wh..opq";
const AUFS_METADATA_PREFIX = ".wh..wh.";

/** What one entry of a layer does at its path. Whiteouts are at the path of the directory that they act in. */
export type LayerChange =
	| { readonly type: "inode"; readonly path: ByteString; readonly inode: Exclude<Inode, DirectoryInode> }
	| { readonly type: "directory"; readonly path: ByteString; readonly attributes: InodeAttributes }
	| { readonly type: "hard-link"; readonly path: ByteString; readonly target: ByteString }
	| { readonly type: "whiteout"; readonly path: ByteString; readonly name: ByteString; readonly isAufs: boolean }
	| { readonly type: "opaque"; readonly path: ByteString }
	/** Whatever is there goes, of this layer too. */
	| { readonly type: "removal"; readonly path: ByteString };

const SYMLINK_MODE = 0o777;

/**
 * The change that an entry at the clean path `path` makes; `shared` are the entry's attributes that many inodes have in common. Throws `Oci2isoError` PATH_TOO_LONG, WHITEOUT_NAME_INVALID, SYMLINK_TARGET_INVALID or
 * ROOT_NOT_DIRECTORY; `where` names the layer.
 */
export function changeOf(
	entry: TarEntry,
	path: ByteString,
	layer: number,
	shared: Pick<InodeAttributes, "mtime" | "xattrs">,
	where: string,
): LayerChange {
	if (path.length > MAX_PATH_BYTES)
		throw corrupt(
			"PATH_TOO_LONG",
			`a path of ${path.length} bytes`,
			`${where}, ${displayName(path.slice(0, 512))}…`,
			`at most ${MAX_PATH_BYTES} bytes`,
		);
	const name = baseName(path);
	if (name.startsWith(WHITEOUT_PREFIX)) return whiteoutOf(path, name, where);
	const { mode, uid, gid, type } = entry;
	const { mtime, xattrs } = shared;
	if (path === "" && type !== "directory")
		throw corrupt("ROOT_NOT_DIRECTORY", `the root directory as a ${type}`, where, "a directory");
	// Spread into an inode, attributes would take half as much memory again, for every file of the image.
	switch (type) {
		case "directory":
			return { type: "directory", path, attributes: { mode, uid, gid, mtime, xattrs } };
		case "hard-link":
			return { type: "hard-link", path, target: entry.linkTarget };
		case "symlink": {
			const target = entry.linkTarget;
			if (target === "" || target.length > MAX_TARGET_BYTES)
				throw corrupt(
					"SYMLINK_TARGET_INVALID",
					`a symbolic link to a target of ${target.length} bytes`,
					`${where}, ${displayName(path)}`,
					`1 to ${MAX_TARGET_BYTES} bytes`,
				);
			return { type: "inode", path, inode: { type, mode: SYMLINK_MODE, uid, gid, mtime, xattrs, number: 0, target } };
		}
		case "file": {
			const { byteLength, index } = entry;
			const attributes = { type, mode, uid, gid, mtime, xattrs, number: 0, byteLength, layer, entry: index } as const;
			return { type: "inode", path, inode: attributes };
		}
		case "character-device":
		case "block-device": {
			const { major, minor } = entry;
			return { type: "inode", path, inode: { type, mode, uid, gid, mtime, xattrs, number: 0, major, minor } };
		}
		default:
			return { type: "inode", path, inode: { type, mode, uid, gid, mtime, xattrs, number: 0 } };
	}
}

function whiteoutOf(path: ByteString, name: ByteString, where: string): LayerChange {
	const parent = path.slice(0, Math.max(0, path.length - name.length - 1));
	if (name === OPAQUE_WHITEOUT) return { type: "opaque", path: parent };
	const removed = name.slice(WHITEOUT_PREFIX.length);
	if (removed === "" || removed === "." || removed === "..")
		throw corrupt(
			"WHITEOUT_NAME_INVALID",
			`the whiteout ${displayName(name)}`,
			`${where}, ${displayName(path)}`,
			"the name of a file after .wh.",
		);
	return { type: "whiteout", path: parent, name: removed, isAufs: name.startsWith(AUFS_METADATA_PREFIX) };
}
