import { type ByteString, byteStringOf } from "../binary/byte-string.ts";
import { from0, record } from "../binary/record.ts";

/** System V ABI, "ELF Header", little endian. */
const headers = {
	1: record("ELF header", 52, {
		type: from0.u16le(16),
		machine: from0.u16le(18),
		version: from0.u32le(20),
		sections: from0.u32le(32),
		sectionBytes: from0.u16le(46),
		sectionCount: from0.u16le(48),
		namesIndex: from0.u16le(50),
	}),
	2: record("ELF header", 64, {
		type: from0.u16le(16),
		machine: from0.u16le(18),
		version: from0.u32le(20),
		sections: from0.safe64le(40),
		sectionBytes: from0.u16le(58),
		sectionCount: from0.u16le(60),
		namesIndex: from0.u16le(62),
	}),
} as const;
/** The same, "Sections". */
const sectionHeaders = {
	1: record("ELF section", 40, {
		name: from0.u32le(0),
		type: from0.u32le(4),
		flags: from0.u32le(8),
		address: from0.u32le(12),
		offset: from0.u32le(16),
		byteLength: from0.u32le(20),
	}),
	2: record("ELF section", 64, {
		name: from0.u32le(0),
		type: from0.u32le(4),
		flags: from0.safe64le(8),
		address: from0.safe64le(16),
		offset: from0.safe64le(24),
		byteLength: from0.safe64le(32),
	}),
} as const;
const MAGIC = 0x464c457f;
const LITTLE_ENDIAN = 1;
const CURRENT_VERSION = 1;
const MAX_NAME_BYTES = 64;

export interface ElfSection {
	readonly type: number;
	readonly flags: number;
	readonly address: number;
	/** In the file. */
	readonly offset: number;
	readonly byteLength: number;
}

export interface ElfFile {
	/** 1: 32 bits, 2: 64 bits. */
	readonly width: 1 | 2;
	readonly type: number;
	readonly machine: number;
	/** Throws `RangeError` where their headers are not in the file. */
	sections(): ElfSection[];
	/** Content of the first section of a name; undefined where there is none. Throws `RangeError` where headers lead out of the file. */
	section(name: string): Buffer | undefined;
}

/** Undefined where it does not begin as an ELF file. */
export function openElf(bytes: Uint8Array): ElfFile | undefined {
	const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	if (file.byteLength < 64 || file.readUInt32LE() !== MAGIC) return undefined;
	const [width, data, version] = [file[4], file[5], file[6]];
	if ((width !== 1 && width !== 2) || data !== LITTLE_ENDIAN || version !== CURRENT_VERSION) return undefined;
	const { sections, sectionBytes, sectionCount, namesIndex, ...header } = headers[width].decode(file);
	if (header.version !== CURRENT_VERSION) return undefined;
	const sectionHeader = (index: number) => sectionHeaders[width].decode(file, sections + index * sectionBytes);
	return {
		width,
		type: header.type,
		machine: header.machine,
		sections() {
			if (sectionBytes < sectionHeaders[width].byteLength) throw new RangeError("section headers lie over each other");
			return Array.from({ length: sectionCount }, (_, index) => sectionHeader(index));
		},
		section(wanted) {
			const names = sectionHeader(namesIndex).offset;
			for (let index = 0; index < sectionCount; index++) {
				const { name, offset, byteLength } = sectionHeader(index);
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
