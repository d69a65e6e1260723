import { type Field, from1, record, type ValuesOf } from "../../binary/record.ts";
import { ISO_BLOCK_BYTES } from "../../binary/units.ts";
import { digitDate } from "./dates.ts";

/** ECMA-119 8.1.1. */
export const DESCRIPTOR_TYPE = { bootRecord: 0, primary: 1, supplementary: 2, terminator: 255 } as const;
export const STANDARD_IDENTIFIER = "CD001";

/** Escape sequence of Joliet level 3 (UCS-2) in the supplementary descriptor. */
export const JOLIET_ESCAPE_SEQUENCE = "%/E";

/** ECMA-119 8.1: what every volume descriptor starts with. */
export const descriptorHead = record("volume descriptor head", 7, {
	type: from1.u8(1),
	standardIdentifier: from1.text(2, 5),
	version: from1.u8(7),
});

/** ECMA-119 8.4 (primary) and 8.5 (supplementary): the same positions, with text of another kind. */
function descriptorFields(text: (position: number, byteLength: number) => Field<string>) {
	return {
		type: from1.u8(1),
		standardIdentifier: from1.text(2, 5),
		version: from1.u8(7),
		/** 0; flags in a supplementary descriptor. */
		volumeFlags: from1.u8(8),
		systemIdentifier: text(9, 32),
		volumeIdentifier: text(41, 32),
		/** Blocks of 2048 bytes. */
		volumeSpaceBlocks: from1.u32both(81),
		/** Empty in a primary descriptor. */
		escapeSequences: from1.text(89, 32, "\0"),
		volumeSetSize: from1.u16both(121),
		volumeSequenceNumber: from1.u16both(125),
		logicalBlockBytes: from1.u16both(129),
		pathTableByteLength: from1.u32both(133),
		littleEndianPathTableBlock: from1.u32le(141),
		optionalLittleEndianPathTableBlock: from1.u32le(145),
		bigEndianPathTableBlock: from1.u32be(149),
		optionalBigEndianPathTableBlock: from1.u32be(153),
		/** A directory record whose identifier is one zero byte. */
		rootDirectoryRecord: from1.bytes(157, 34),
		volumeSetIdentifier: text(191, 128),
		publisherIdentifier: text(319, 128),
		preparerIdentifier: text(447, 128),
		applicationIdentifier: text(575, 128),
		copyrightFileIdentifier: text(703, 37),
		abstractFileIdentifier: text(740, 37),
		bibliographicFileIdentifier: text(777, 37),
		/** Seconds since 1970, as the three after it. */
		createdAtSeconds: digitDate(814),
		modifiedAtSeconds: digitDate(831),
		expiresAtSeconds: digitDate(848),
		effectiveAtSeconds: digitDate(865),
		fileStructureVersion: from1.u8(882),
		/** Spaces in our primary descriptors: the media checksum is written into them. */
		applicationUse: from1.bytes(884, 512),
	};
}

/** Text as UCS-2, big-endian, padded with spaces; the odd byte at the end of a field is zero. */
function ucs2Text(position: number, byteLength: number): Field<string> {
	const characters = Math.floor(byteLength / 2);
	return {
		offset: position - 1,
		byteLength,
		encode(value, view, at) {
			const text = value.slice(0, characters).padEnd(characters, " ");
			for (let i = 0; i < characters; i++) view.setUint16(at + 2 * i, text.charCodeAt(i));
		},
		decode(view, at) {
			const units = Array.from({ length: characters }, (_, i) => view.getUint16(at + 2 * i));
			return String.fromCharCode(...units).replace(/ +$/, "");
		},
	};
}

export const primaryDescriptor = record(
	"primary volume descriptor",
	ISO_BLOCK_BYTES,
	descriptorFields((position, byteLength) => from1.text(position, byteLength)),
);

/** Joliet's descriptor. Its text fields hold half as many characters; longer values are cut. */
export const jolietDescriptor = record("supplementary volume descriptor", ISO_BLOCK_BYTES, descriptorFields(ucs2Text));

export type VolumeDescriptor = ValuesOf<typeof primaryDescriptor.fields>;

/** ECMA-119 8.3. */
export function encodeTerminator(): Buffer {
	const bytes = Buffer.alloc(ISO_BLOCK_BYTES);
	bytes.set(
		descriptorHead.encode({ type: DESCRIPTOR_TYPE.terminator, standardIdentifier: STANDARD_IDENTIFIER, version: 1 }),
	);
	return bytes;
}
