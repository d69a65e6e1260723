import type { Field } from "../../binary/record.ts";
import { assert } from "../../errors.ts";

/** Lower-case text form: `c12a7328-f81f-11d2-ba4b-00a0c93ec93b`. */
export type Guid = string;

const TEXT_FORM = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** UEFI appendix A: the first three groups are little-endian. Place on disk of each byte of the text form. */
const BYTE_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15] as const;

export function encodeGuid(guid: Guid): Buffer {
	const text = guid.toLowerCase();
	assert(TEXT_FORM.test(text), `${guid} is no GUID`);
	return reorder(Buffer.from(text.replaceAll("-", ""), "hex"));
}

/** `bytes` are the 16 bytes on disk. */
export function decodeGuid(bytes: Uint8Array): Guid {
	assert(bytes.byteLength === 16, "a GUID has 16 bytes");
	return reorder(bytes)
		.toString("hex")
		.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** A GUID of version 8 (RFC 9562: content of one's own) from 16 or more bytes of a digest. */
export function guidFromDigest(digest: Uint8Array): Guid {
	assert(digest.byteLength >= 16, "a digest of 16 bytes or more");
	const bytes = Buffer.from(digest.subarray(0, 16));
	bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
	bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
	return decodeGuid(reorder(bytes));
}

export function guidField(position: number): Field<Guid> {
	return {
		offset: position,
		byteLength: 16,
		encode: (value, view, at) => new Uint8Array(view.buffer, view.byteOffset + at, 16).set(encodeGuid(value)),
		decode: (view, at) => decodeGuid(new Uint8Array(view.buffer, view.byteOffset + at, 16)),
	};
}

function reorder(bytes: Uint8Array): Buffer {
	return Buffer.from(BYTE_ORDER.map((from) => bytes[from] ?? 0));
}
