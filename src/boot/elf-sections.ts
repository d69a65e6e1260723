import { type ByteString, byteStringOf } from "../binary/byte-string.ts";
import { from0, record } from "../binary/record.ts";

/** ELF, little endian: the header's fields, and a section's. */
const headers = {
	1: record("ELF header", 52, {
		type: from0.u16le(16),
		machine: from0.u16le(18),
		sections: from0.u32le(32),
		sectionBytes: from0.u16le(46),
		sectionCount: from0.u16le(48),
		namesIndex: from0.u16le(50),
	}),
	2: record("ELF header", 64, {
		type: from0.u16le(16),
		machine: from0.u16le(18),
		sections: from0.safe64le(40),
		sectionBytes: from0.u16le(58),
		sectionCount: from0.u16le(60),
		namesIndex: from0.u16le(62),
	}),
} as const;
const sectionHeaders = {
	1: record("ELF section", 40, { name: from0.u32le(0), offset: from0.u32le(16), byteLength: from0.u32le(20) }),
	2: record("ELF section", 64, { name: from0.u32le(0), offset: from0.safe64le(24), byteLength: from0.safe64le(32) }),
} as const;
const MAGIC = 0x464c457f;
const LITTLE_ENDIAN = 1;
const MAX_NAME_BYTES = 64;

export interface ElfFile {
	/** 1: 32 bits, 2: 64 bits. */
	readonly width: 1 | 2;
	readonly type: number;
	readonly machine: number;
	/** Content of the first section of a name; undefined where there is none. Throws `RangeError` where headers lead out of the file. */
	section(name: string): Buffer | undefined;
}

/** Undefined where it does not begin as an ELF file. */
export function openElf(bytes: Uint8Array): ElfFile | undefined {
	const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	if (file.byteLength < 64 || file.readUInt32LE() !== MAGIC || file[5] !== LITTLE_ENDIAN) return undefined;
	const width = file[4];
	if (width !== 1 && width !== 2) return undefined;
	const { type, machine, sections, sectionBytes, sectionCount, namesIndex } = headers[width].decode(file);
	const header = (index: number) => sectionHeaders[width].decode(file, sections + index * sectionBytes);
	return {
		width,
		type,
		machine,
		section(wanted) {
			const names = header(namesIndex).offset;
			for (let index = 0; index < sectionCount; index++) {
				const { name, offset, byteLength } = header(index);
				if (untilNul(file.subarray(names + name, names + name + MAX_NAME_BYTES)) === wanted)
					return file.subarray(offset, offset + byteLength);
			}
			return undefined;
		},
	};
}

export function untilNul(bytes: Buffer): ByteString {
	const end = bytes.indexOf(0);
	return byteStringOf(end < 0 ? bytes : bytes.subarray(0, end));
}
