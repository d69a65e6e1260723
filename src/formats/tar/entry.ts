import type { ByteString } from "../../binary/byte-string.ts";
import type { Timestamp } from "../../tree/inode.ts";

/** `socket` is not a type of POSIX tar; it comes from the PAX keyword `SCHILY.filetype`. */
export type TarEntryType =
	| "file"
	| "hard-link"
	| "symlink"
	| "character-device"
	| "block-device"
	| "directory"
	| "fifo"
	| "socket";

/** One member of an archive, with every extended header applied. */
export interface TarEntry {
	/** Position among the archive's members, from 0; extended headers and volume labels are not counted. */
	readonly index: number;
	readonly type: TarEntryType;
	/** As recorded: may be absolute, have `.` and `..` components, repeated or trailing slashes. Without NUL. */
	readonly path: ByteString;
	/** For hard links a path in the archive, for symbolic links the target's text; otherwise empty. Without NUL. */
	readonly linkTarget: ByteString;
	/** 0 to 0o7777. */
	readonly mode: number;
	/** 0 to 2^32 - 2, as Linux makes it of what is recorded. */
	readonly uid: number;
	/** As `uid`. */
	readonly gid: number;
	/** Logical length in bytes with holes, 0 for everything that is not a regular file. */
	readonly byteLength: number;
	readonly mtime: Timestamp;
	/** Device number, 0 to 4095; 0 unless the entry is a device. */
	readonly major: number;
	/** Device number, 0 to 2^20 - 1; 0 unless the entry is a device. */
	readonly minor: number;
	/** Full names with their prefix, raw values. One shared empty map where there are none. */
	readonly xattrs: ReadonlyMap<ByteString, Uint8Array>;
	/** Byte offset in the archive of the member's own header block (extended headers come before it). */
	readonly archiveOffset: number;
}

/** Receives an archive, member by member: `entry`, then `data` and `hole` for regular files, then `endEntry`. */
export interface TarHandler {
	entry(entry: TarEntry): void;
	/** The next bytes of the file: a view of the chunk that was pushed, valid only during the call. */
	data(bytes: Uint8Array): void;
	/** The next `byteLength` (at least 1) bytes of the file are zero and were not recorded. */
	hole(byteLength: number): void;
	/** Called once for every entry, of any type. */
	endEntry(): void;
}
