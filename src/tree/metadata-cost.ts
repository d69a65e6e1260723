import type { ByteString } from "../binary/byte-string.ts";
import type { LayerChange } from "./layer-changes.ts";

/** What an inode holds from the layer's entry until its tables are written, names and attributes not counted. */
export const INODE_COST_BYTES = 640;
/** Of an entry that only points at something. */
const MARK_COST_BYTES = 224;
const XATTR_SET_COST_BYTES = 256;
const XATTR_COST_BYTES = 320;

/** Memory in bytes that a change takes, estimated from above; its extended attributes, which may be shared, not counted. */
export function changeCostBytes(change: LayerChange): number {
	switch (change.type) {
		case "inode": {
			const target = change.inode.type === "symlink" ? change.inode.target.length : 0;
			return INODE_COST_BYTES + change.path.length + target;
		}
		case "directory":
			return INODE_COST_BYTES + change.path.length;
		case "hard-link":
			return MARK_COST_BYTES + change.path.length + change.target.length;
		case "whiteout":
		case "opaque":
		case "removal":
			return MARK_COST_BYTES + change.path.length;
	}
}

/** The same for a set of extended attributes. Each value is held twice, as bytes and in the key that finds equal sets. */
export function xattrsCostBytes(xattrs: ReadonlyMap<ByteString, Uint8Array>): number {
	let bytes = XATTR_SET_COST_BYTES;
	for (const [name, value] of xattrs) bytes += XATTR_COST_BYTES + 2 * name.length + 2 * value.byteLength;
	return bytes;
}
