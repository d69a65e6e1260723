import type { ByteString } from "../../binary/byte-string.ts";

/** Rock Ridge attributes of every node. */
export interface IsoAttributes {
	/** Permission, setuid, setgid and sticky bits: 0 to 0o7777. */
	readonly mode: number;
	/** 0 to 2^32 - 1. */
	readonly uid: number;
	/** 0 to 2^32 - 1. */
	readonly gid: number;
	/** Seconds since 1970. Times outside 1900 to 2155 are clamped and reported as a notice. */
	readonly mtimeSeconds: number;
}

export interface IsoDirectory extends IsoAttributes {
	readonly type: "directory";
	/** Children by Rock Ridge name (1 to 255 bytes, without `/` and NUL, not `.` or `..`). Order does not matter. */
	readonly entries: ReadonlyMap<ByteString, IsoNode>;
}

/** One `IsoFile` object under several names is a hard link: it counts as one inode. */
export interface IsoFile extends IsoAttributes {
	readonly type: "file";
	/** 0 to 2^42. */
	readonly byteLength: number;
	/** Names the body. Files with the same key (and length) share their blocks. */
	readonly contentKey: string;
	/** Where the body already lies, as a block of the whole image; the plan places it when undefined. */
	readonly fixedBlock?: number | undefined;
}

interface IsoSymlink extends IsoAttributes {
	readonly type: "symlink";
	/** 1 to 1024 bytes. Repeated and final slashes are not kept. */
	readonly target: ByteString;
}

export type IsoNode = IsoDirectory | IsoFile | IsoSymlink;
