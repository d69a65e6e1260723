import { type ByteString, bytesOf } from "../../binary/byte-string.ts";
import { MAX_RECORD_BYTES, systemUseOffset } from "./directory-record.ts";
import {
	continuationArea,
	encodeContinuationArea,
	encodeExtensionReference,
	encodeName,
	encodePosixAttributes,
	encodeSharingProtocol,
	encodeSymbolicLink,
	encodeTimeStamps,
	FILE_TYPE,
	NAME_HEAD_BYTES,
} from "./susp.ts";
import type { IsoNode } from "./tree.ts";

/** A system use area, and what of it has to lie elsewhere. */
export interface SystemUse {
	/** Entries in the directory record, without the CE entry. */
	readonly inRecord: Buffer;
	/** Entries for a continuation area; empty when all fit. */
	readonly continued: Buffer;
}

/** What a directory record stands for: a name in its directory, "." or "..", or the root's "." which tells that Rock Ridge is used. */
export type RecordRole = "entry" | "self-or-parent" | "root-self";

interface RockRidgeRecord {
	readonly role: RecordRole;
	readonly node: IsoNode;
	/** Only entries have one. */
	readonly name: ByteString;
	readonly links: number;
	/** Within the years that a recording date can say. */
	readonly mtimeSeconds: number;
	readonly identifierByteLength: number;
}

/** Rock Ridge entries of one directory record, in the order that xorriso uses. */
export function systemUseOf(record: RockRidgeRecord): SystemUse {
	const { role, node, name, links, mtimeSeconds, identifierByteLength } = record;
	const attributes = [
		encodePosixAttributes({ fileMode: FILE_TYPE[node.type] | node.mode, links, uid: node.uid, gid: node.gid }),
		encodeTimeStamps(mtimeSeconds),
	];
	if (role === "self-or-parent") return { inRecord: Buffer.concat(attributes), continued: Buffer.alloc(0) };
	if (role === "root-self")
		return { inRecord: Buffer.concat([encodeSharingProtocol(), ...attributes]), continued: encodeExtensionReference() };

	const nameBytes = bytesOf(name);
	const linkEntries = node.type === "symlink" ? encodeSymbolicLink(bytesOf(node.target)) : [];
	const room =
		MAX_RECORD_BYTES - systemUseOffset(identifierByteLength) - NAME_HEAD_BYTES - Buffer.concat(attributes).byteLength;
	if (nameBytes.byteLength + Buffer.concat(linkEntries).byteLength <= room)
		return {
			inRecord: Buffer.concat([...attributes, encodeName(nameBytes, false), ...linkEntries]),
			continued: Buffer.alloc(0),
		};

	const nameRoom = room - continuationArea.byteLength;
	const first = encodeName(nameBytes.subarray(0, nameRoom), nameBytes.byteLength > nameRoom);
	const rest = nameBytes.byteLength > nameRoom ? [encodeName(nameBytes.subarray(nameRoom), false)] : [];
	return { inRecord: Buffer.concat([...attributes, first]), continued: Buffer.concat([...rest, ...linkEntries]) };
}

/** Bytes of the system use area within the directory record. */
export function inRecordByteLength(use: SystemUse): number {
	return use.inRecord.byteLength + (use.continued.byteLength === 0 ? 0 : continuationArea.byteLength);
}

export function encodeSystemUse(use: SystemUse, block: number, offset: number): Buffer {
	if (use.continued.byteLength === 0) return use.inRecord;
	return Buffer.concat([
		use.inRecord,
		encodeContinuationArea({ block, offset, areaByteLength: use.continued.byteLength }),
	]);
}
