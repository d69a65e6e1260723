import { from1, record } from "../../binary/record.ts";
import { recordingDate } from "./dates.ts";

/** SUSP 1.10 section 4.1: signature, length and version of every system use entry. */
export const suspHead = record("SUSP entry head", 4, {
	signature: from1.text(1, 2),
	/** Of the whole entry, 4 to 255. */
	entryByteLength: from1.u8(3),
	version: from1.u8(4),
});

/** SUSP 5.1: where the rest of a system use area is. */
export const continuationArea = record("CE", 28, {
	signature: from1.text(1, 2),
	entryByteLength: from1.u8(3),
	version: from1.u8(4),
	block: from1.u32both(5),
	offset: from1.u32both(13),
	areaByteLength: from1.u32both(21),
});

/** SUSP 5.3: first entry of the root's "." record. */
export const sharingProtocol = record("SP", 7, {
	signature: from1.text(1, 2),
	entryByteLength: from1.u8(3),
	version: from1.u8(4),
	checkBytes: from1.u16be(5),
	/** Bytes to skip at the start of every other system use area. */
	skippedByteLength: from1.u8(7),
});
export const SHARING_PROTOCOL_CHECK = 0xbeef;

/** RRIP 1.10 section 4.1.1: POSIX attributes, without the serial number that 1.12 added. */
export const posixAttributes = record("PX", 36, {
	signature: from1.text(1, 2),
	entryByteLength: from1.u8(3),
	version: from1.u8(4),
	/** File type and permissions as in `st_mode`. */
	fileMode: from1.u32both(5),
	links: from1.u32both(13),
	uid: from1.u32both(21),
	gid: from1.u32both(29),
});

/** RRIP 4.1.6 with flags 0x0e: modification, access and attribute change, as 7-byte dates. */
const timeStamps = record("TF", 26, {
	signature: from1.text(1, 2),
	entryByteLength: from1.u8(3),
	version: from1.u8(4),
	flags: from1.u8(5),
	modifiedAtSeconds: recordingDate(6),
	accessedAtSeconds: recordingDate(13),
	attributesChangedAtSeconds: recordingDate(20),
});
const TIME_STAMP_FLAGS = 0x0e;

/** RRIP 4.1.4 and 4.1.3.1: alternate name, and component of a symbolic link. */
export const NAME_FLAGS = { continued: 0x01, self: 0x02, parent: 0x04 } as const;
export const COMPONENT_FLAGS = { continued: 0x01, self: 0x02, parent: 0x04, root: 0x08 } as const;

/** `st_mode` type bits (RRIP 4.1.1). */
export const FILE_TYPE = { directory: 0o040000, file: 0o100000, symlink: 0o120000, mask: 0o170000 } as const;

/** A SUSP entry's length is one byte. */
const MAX_ENTRY_BYTES = 255;

const ROCK_RIDGE = {
	identifier: "RRIP_1991A",
	descriptor: "THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS",
	source:
		"PLEASE CONTACT DISC PUBLISHER FOR SPECIFICATION SOURCE.  SEE PUBLISHER IDENTIFIER IN PRIMARY VOLUME DESCRIPTOR FOR CONTACT INFORMATION.",
	version: 1,
} as const;

export function encodeSharingProtocol(): Buffer {
	return sharingProtocol.encode({ ...head("SP", 7), checkBytes: SHARING_PROTOCOL_CHECK, skippedByteLength: 0 });
}

/** SUSP 5.5, with the texts that RRIP 1.10 section 4.3 prescribes. */
export function encodeExtensionReference(): Buffer {
	const { identifier, descriptor, source, version } = ROCK_RIDGE;
	return encodeEntry("ER", [
		Buffer.from([identifier.length, descriptor.length, source.length, version]),
		Buffer.from(identifier + descriptor + source, "latin1"),
	]);
}

export function encodePosixAttributes(value: { fileMode: number; links: number; uid: number; gid: number }): Buffer {
	return posixAttributes.encode({ ...head("PX", 36), ...value });
}

export function encodeTimeStamps(seconds: number): Buffer {
	return timeStamps.encode({
		...head("TF", 26),
		flags: TIME_STAMP_FLAGS,
		modifiedAtSeconds: seconds,
		accessedAtSeconds: seconds,
		attributesChangedAtSeconds: seconds,
	});
}

export function encodeContinuationArea(value: { block: number; offset: number; areaByteLength: number }): Buffer {
	return continuationArea.encode({ ...head("CE", 28), ...value });
}

/** Bytes of an NM entry before the name. */
export const NAME_HEAD_BYTES = 5;

export function encodeName(name: Uint8Array, continued: boolean): Buffer {
	return encodeEntry("NM", [Buffer.from([continued ? NAME_FLAGS.continued : 0]), name]);
}

/** RRIP 4.1.3: one or more SL entries; empty components of `target` (a//b, a/) are left out. */
export function encodeSymbolicLink(target: Uint8Array): Buffer[] {
	const areas: Buffer[] = [];
	let area = Buffer.alloc(0);
	const room = (): number => MAX_ENTRY_BYTES - SYMLINK_HEAD_BYTES - area.byteLength;
	const put = (flags: number, content: Buffer): void => {
		area = Buffer.concat([area, Buffer.from([flags, content.byteLength]), content]);
	};
	const startArea = (): void => {
		areas.push(area);
		area = Buffer.alloc(0);
	};
	const text = Buffer.from(target).toString("latin1");
	if (text.startsWith("/")) put(COMPONENT_FLAGS.root, Buffer.alloc(0));
	for (const component of text.split("/").filter((each) => each !== "")) {
		if (room() < COMPONENT_HEAD_BYTES + 1) startArea();
		if (component === ".") put(COMPONENT_FLAGS.self, Buffer.alloc(0));
		else if (component === "..") put(COMPONENT_FLAGS.parent, Buffer.alloc(0));
		else {
			let rest = Buffer.from(component, "latin1");
			for (; rest.byteLength > room() - COMPONENT_HEAD_BYTES; startArea()) {
				const part = rest.subarray(0, room() - COMPONENT_HEAD_BYTES);
				rest = rest.subarray(part.byteLength);
				put(COMPONENT_FLAGS.continued, part);
			}
			put(0, rest);
		}
	}
	startArea();
	return areas.map((components, i) =>
		encodeEntry("SL", [Buffer.from([i < areas.length - 1 ? COMPONENT_FLAGS.continued : 0]), components]),
	);
}

const SYMLINK_HEAD_BYTES = 5;
const COMPONENT_HEAD_BYTES = 2;

function head(signature: string, entryByteLength: number) {
	return { signature, entryByteLength, version: 1 };
}

function encodeEntry(signature: string, parts: readonly Uint8Array[]): Buffer {
	const body = Buffer.concat(parts);
	return Buffer.concat([suspHead.encode(head(signature, suspHead.byteLength + body.byteLength)), body]);
}
