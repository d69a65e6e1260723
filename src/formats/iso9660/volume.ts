import type { ByteString } from "../../binary/byte-string.ts";
import type { Problem } from "../../errors.ts";
import type { Extent } from "./extents.ts";
import type { VolumeDescriptor } from "./volume-descriptor.ts";

/** What a volume on a medium holds. Blocks count from the start of the source that was read. */
export interface Volume {
	readonly primary: VolumeDescriptor;
	readonly joliet: VolumeDescriptor | undefined;
	/** Boot record descriptors, 2048 bytes each. */
	readonly bootRecords: readonly Uint8Array[];
	/** True where the root's "." starts with SUSP's SP entry. */
	readonly rockRidge: boolean;
	/** With Rock Ridge names and attributes where there are any. */
	readonly root: VolumeDirectory;
	readonly jolietRoot: VolumeDirectory | undefined;
	/** Inconsistencies that hide nothing: path tables, "..", order, big-endian copies. */
	readonly problems: readonly Problem[];
}

export interface VolumeAttributes {
	/** The identifier's bytes; with `;1` in a primary tree. */
	readonly identifier: ByteString;
	/** From the directory record, seconds since 1970. */
	readonly recordedAtSeconds: number;
	readonly hidden: boolean;
	/** Undefined without Rock Ridge. */
	readonly posix: PosixAttributes | undefined;
}

interface PosixAttributes {
	/** 0 to 0o7777. */
	readonly mode: number;
	readonly links: number;
	readonly uid: number;
	readonly gid: number;
	/** Undefined without a TF entry that has it. */
	readonly mtimeSeconds: number | undefined;
}

export interface VolumeDirectory extends VolumeAttributes {
	readonly type: "directory";
	readonly extent: Extent;
	/**
	 * By Rock Ridge name; without Rock Ridge the identifier less its version and final dot; in a Joliet tree the UTF-8 bytes of
	 * the UCS-2 name. In order of the records.
	 */
	readonly entries: ReadonlyMap<ByteString, VolumeNode>;
}

export interface VolumeFile extends VolumeAttributes {
	readonly type: "file";
	readonly byteLength: number;
	/** In order; more than one for files of several sections. Every one lies within the source. */
	readonly extents: readonly Extent[];
}

interface VolumeSymlink extends VolumeAttributes {
	readonly type: "symlink";
	readonly target: ByteString;
}

/** A device, fifo or socket. */
interface VolumeSpecial extends VolumeAttributes {
	readonly type: "special";
}

export type VolumeNode = VolumeDirectory | VolumeFile | VolumeSymlink | VolumeSpecial;

/** The node at `path` (`/a/b`, byte for byte), or undefined. */
export function findNode(root: VolumeDirectory, path: ByteString): VolumeNode | undefined {
	let node: VolumeNode | undefined = root;
	for (const name of path.split("/").filter((each) => each !== ""))
		node = node?.type === "directory" ? node.entries.get(name) : undefined;
	return node;
}
