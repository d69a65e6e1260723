import type { ByteString } from "../binary/byte-string.ts";

/** What every inode has, whatever its type. */
export interface InodeAttributes {
	/** Permission, setuid, setgid and sticky bits: 0 to 0o7777. */
	mode: number;
	/** 0 to 2^32 - 1. */
	uid: number;
	/** 0 to 2^32 - 1. */
	gid: number;
	mtime: Timestamp;
	/** Full names with their prefix (`security.capability`), raw values. */
	xattrs: ReadonlyMap<ByteString, Uint8Array>;
	/** For whoever numbers the inodes of a tree, and as long as that takes; nobody else goes by it. */
	number?: number;
}

/** Seconds since 1970 (may be negative or beyond 2^32), and 0 to 999 999 999 nanoseconds after that second. */
export interface Timestamp {
	readonly seconds: number;
	readonly nanoseconds: number;
}

export interface DirectoryInode extends InodeAttributes {
	readonly type: "directory";
	/** Children by name; "." and ".." are not in it. Not sorted. */
	readonly entries: Map<ByteString, Inode>;
}

/** Names its content by `layer` and `entry`. */
export interface FileInode extends InodeAttributes, BodyId {
	readonly type: "file";
	/** Logical length in bytes, holes included. */
	readonly byteLength: number;
	/** No file of an image, but so many bytes of one from `offset` on. */
	readonly part?: { readonly of: FileInode; readonly offset: number } | undefined;
}

export interface SymlinkInode extends InodeAttributes {
	readonly type: "symlink";
	readonly target: ByteString;
}

export interface DeviceInode extends InodeAttributes {
	readonly type: "block-device" | "character-device";
	readonly major: number;
	readonly minor: number;
}

export interface IpcInode extends InodeAttributes {
	readonly type: "fifo" | "socket";
}

/**
 * A hard-link group is one inode object that is the value of several directory entries: identity is the group.
 * Only directories are never shared.
 */
export type Inode = DirectoryInode | FileInode | SymlinkInode | DeviceInode | IpcInode;

/** Which regular-file entry of which layer holds a file's content: `layer` counts from the bottom, `entry` within that layer's archive, both from 0. */
export interface BodyId {
	readonly layer: number;
	readonly entry: number;
}
