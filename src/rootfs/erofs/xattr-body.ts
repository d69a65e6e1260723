import { type ByteString, bytesOf, compareByteStrings } from "../../binary/byte-string.ts";
import { ByteWriter } from "../../binary/byte-writer.ts";
import type { Xattrs } from "../../binary/xattrs.ts";
import { MAX_XATTR_NAME_BYTES } from "../limits.ts";
import { XATTR_PREFIXES, XATTR_UNIT_BYTES } from "./constants.ts";
import { XATTR_ENTRY, XATTR_HEADER } from "./records.ts";

/** What `i_xattr_icount` can say. */
export const MAX_XATTR_BODY_BYTES = XATTR_HEADER.byteLength + 0xfffe * XATTR_UNIT_BYTES;
const MAX_VALUE_BYTES = 0xffff;
const ACL_PREFIX = "system.posix_acl_";
/** Linux, include/uapi/linux/posix_acl_xattr.h: a version, then entries. */
const ACL_VERSION = 2;
const ACL_HEADER_BYTES = 4;
const ACL_ENTRY_BYTES = 8;

const PREFIXES = Object.entries(XATTR_PREFIXES).map(([index, text]) => ({ index: Number(index), text }));
const NONE = Buffer.alloc(0);

/** The attributes behind an inode, empty where it has none; `onUnstorable` is told of each that has no place. */
export function encodeXattrs(xattrs: Xattrs, onUnstorable: (name: ByteString) => void): Buffer {
	if (xattrs.size === 0) return NONE;
	const body = new ByteWriter(256).bytes(XATTR_HEADER.encode({ nameFilter: 0, sharedCount: 0 }));
	for (const name of [...xattrs.keys()].sort(compareByteStrings)) {
		const value = xattrs.get(name) ?? NONE;
		const prefix = prefixOf(name, value);
		if (prefix === undefined) {
			onUnstorable(name);
			continue;
		}
		const rest = bytesOf(name.slice(prefix.text.length));
		const entry = { nameBytes: rest.byteLength, prefix: prefix.index, valueBytes: value.byteLength };
		body.bytes(XATTR_ENTRY.encode(entry)).bytes(rest).bytes(value).align(XATTR_UNIT_BYTES);
	}
	return body.length === XATTR_HEADER.byteLength ? NONE : body.view();
}

/** As the inode counts a body of this length. */
export function xattrUnits(bodyBytes: number): number {
	return bodyBytes === 0 ? 0 : 1 + (bodyBytes - XATTR_HEADER.byteLength) / XATTR_UNIT_BYTES;
}

/** Whether EROFS, and Linux reading it, have a place for an attribute of this full name and value. */
export function isStorableXattr(name: ByteString, value: Uint8Array): boolean {
	return prefixOf(name, value) !== undefined;
}

function prefixOf(name: ByteString, value: Uint8Array): (typeof PREFIXES)[number] | undefined {
	if (name.length > MAX_XATTR_NAME_BYTES || name.includes("\0") || value.byteLength > MAX_VALUE_BYTES) return undefined;
	const prefix = PREFIXES.find(({ text }) => name.startsWith(text));
	if (prefix?.text.startsWith(ACL_PREFIX)) return name === prefix.text && isAcl(value) ? prefix : undefined;
	return prefix !== undefined && name.length > prefix.text.length ? prefix : undefined;
}

/** Where Linux finds no access control list in it, it refuses the inode. */
function isAcl(value: Uint8Array): boolean {
	return (
		value.byteLength >= ACL_HEADER_BYTES &&
		(value.byteLength - ACL_HEADER_BYTES) % ACL_ENTRY_BYTES === 0 &&
		Buffer.from(value.buffer, value.byteOffset).readUInt32LE() === ACL_VERSION
	);
}
