import type { ByteString } from "../binary/byte-string.ts";
import type { ContentLayout } from "../content/contents.ts";
import type { DeviceInode, InodeAttributes, IpcInode, SymlinkInode } from "../tree/inode.ts";

/** What an image says about an inode beside its attributes. */
export interface InodeIdentity {
	/** 1 to the superblock's inode count. */
	readonly inodeNumber: number;
	/** As stored; for a directory 2 and the number of its subdirectories. */
	readonly linkCount: number;
}

export interface RootDirectory extends InodeAttributes, InodeIdentity {
	readonly type: "directory";
	/** In byte order of the names. */
	readonly entries: Map<ByteString, RootInode>;
}

export interface RootFile extends InodeAttributes, InodeIdentity {
	readonly type: "file";
	readonly byteLength: number;
	/** What the image says that holes save. */
	readonly sparseBytes: number;
	readonly layout: ContentLayout;
}

/** An inode read from an image; as in the input tree, one object for all links. */
export type RootInode =
	| RootDirectory
	| RootFile
	| (SymlinkInode & InodeIdentity)
	| (DeviceInode & InodeIdentity)
	| (IpcInode & InodeIdentity);
