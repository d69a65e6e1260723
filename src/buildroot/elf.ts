import { type ByteString, byteStringOf } from "../binary/byte-string.ts";
import { from0, record } from "../binary/record.ts";
import { Oci2isoError } from "../errors.ts";

/** What running an ELF file takes: who loads it, and what that loader must find. */
export interface ElfFile {
	readonly bits: 32 | 64;
	/** e_machine: 62 is x86-64, 183 is AArch64. */
	readonly machine: number;
	/** PT_INTERP, absolute in the image; absent in static executables and in most libraries. */
	readonly interpreter: ByteString | undefined;
	/** DT_NEEDED in order. */
	readonly needed: readonly ByteString[];
	/** DT_RPATH split at ":", unexpanded. Empty where DT_RUNPATH exists, which disables it. */
	readonly rpath: readonly ByteString[];
	/** DT_RUNPATH split at ":", unexpanded; undefined where the file has none. */
	readonly runpath: readonly ByteString[] | undefined;
}

/** System V ABI, chapter 4, "ELF Identification". */
const identification = record("e_ident", 16, {
	magic: from0.text(0, 4, "\0"),
	class: from0.u8(4),
	data: from0.u8(5),
	version: from0.u8(6),
});

/** System V ABI, chapter 4, "ELF Header"; offsets of the 64-bit class. */
const header64 = record("Elf64_Ehdr", 64, {
	type: from0.u16le(16),
	machine: from0.u16le(18),
	programHeaderOffset: from0.safe64le(32),
	programHeaderBytes: from0.u16le(54),
	programHeaderCount: from0.u16le(56),
});

const header32 = record("Elf32_Ehdr", 52, {
	type: from0.u16le(16),
	machine: from0.u16le(18),
	programHeaderOffset: from0.u32le(28),
	programHeaderBytes: from0.u16le(42),
	programHeaderCount: from0.u16le(44),
});

/** System V ABI, chapter 5, "Program Header". */
const programHeader64 = record("Elf64_Phdr", 56, {
	type: from0.u32le(0),
	offset: from0.safe64le(8),
	virtualAddress: from0.safe64le(16),
	fileBytes: from0.safe64le(32),
});

const programHeader32 = record("Elf32_Phdr", 32, {
	type: from0.u32le(0),
	offset: from0.u32le(4),
	virtualAddress: from0.u32le(8),
	fileBytes: from0.u32le(16),
});

/** System V ABI, chapter 5, "Dynamic Section". */
const dynamic64 = record("Elf64_Dyn", 16, { tag: from0.safe64le(0), value: from0.safe64le(8) });
const dynamic32 = record("Elf32_Dyn", 8, { tag: from0.u32le(0), value: from0.u32le(4) });

const CLASS_32 = 1;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const BIG_ENDIAN = 2;
const TYPE_EXECUTABLE = 2;
const TYPE_SHARED_OBJECT = 3;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NULL = 0;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
const DT_STRSZ = 10;
const DT_RPATH = 15;
const DT_RUNPATH = 29;

const MAX_PROGRAM_HEADERS = 512;
const MAX_DYNAMIC_ENTRIES = 8192;
const MAX_NEEDED = 512;
const MAX_STRING_BYTES = 4096;

interface Segment {
	readonly type: number;
	readonly offset: number;
	readonly virtualAddress: number;
	readonly fileBytes: number;
}

/**
 * Reads a whole little-endian ELF executable or shared object, of either class. `where` names the file in errors.
 * Throws `Oci2isoError` TOOL_MALFORMED where the bytes contradict themselves, TOOL_FOREIGN_ARCHITECTURE for big-endian files.
 */
export function parseElf(bytes: Uint8Array, where: string): ElfFile {
	const malformed = (what: string): Oci2isoError =>
		new Oci2isoError({
			code: "TOOL_MALFORMED",
			kind: "tool",
			what,
			where,
			expected: "a little-endian ELF executable or shared library",
			remedy: "repair the file in the image, or use --tools builtin",
		});
	if (bytes.byteLength < identification.byteLength) throw malformed("this is not an ELF file");
	const ident = identification.decode(bytes);
	if (ident.magic !== "\x7fELF") throw malformed("this is not an ELF file");
	if (ident.data === BIG_ENDIAN) throw foreignArchitecture("a big-endian executable", where);
	if (ident.data !== LITTLE_ENDIAN) throw malformed(`ELF data encoding ${ident.data}`);
	if (ident.class !== CLASS_32 && ident.class !== CLASS_64) throw malformed(`ELF class ${ident.class}`);
	const wide = ident.class === CLASS_64;
	const headerType = wide ? header64 : header32;
	if (bytes.byteLength < headerType.byteLength) throw malformed("the ELF header is cut off");
	const header = headerType.decode(bytes);
	if (header.type !== TYPE_EXECUTABLE && header.type !== TYPE_SHARED_OBJECT) throw malformed(`ELF type ${header.type}`);

	const segments = readSegments(bytes, header, wide, malformed);
	const interp = segments.find((segment) => segment.type === PT_INTERP);
	const dynamic = segments.find((segment) => segment.type === PT_DYNAMIC);
	return {
		bits: wide ? 64 : 32,
		machine: header.machine,
		interpreter: interp && readInterpreter(bytes, interp, malformed),
		...readDynamic(bytes, segments, dynamic, wide, malformed),
	};
}

export function foreignArchitecture(what: string, where: string): Oci2isoError {
	return new Oci2isoError({
		code: "TOOL_FOREIGN_ARCHITECTURE",
		kind: "tool",
		what: `${what} cannot run on this ${process.arch} host`,
		where,
		remedy: "use --tools builtin, which runs nothing from the image",
	});
}

type Malformed = (what: string) => Oci2isoError;

function readSegments(
	bytes: Uint8Array,
	header: { programHeaderOffset: number; programHeaderBytes: number; programHeaderCount: number },
	wide: boolean,
	malformed: Malformed,
): readonly Segment[] {
	const type = wide ? programHeader64 : programHeader32;
	const { programHeaderOffset: start, programHeaderCount: count } = header;
	if (count === 0) return [];
	if (header.programHeaderBytes !== type.byteLength)
		throw malformed(`program headers of ${header.programHeaderBytes} bytes`);
	if (count > MAX_PROGRAM_HEADERS) throw malformed(`${count} program headers`);
	if (start + count * type.byteLength > bytes.byteLength)
		throw malformed("the program headers are beyond the file's end");
	return Array.from({ length: count }, (_, index) => type.decode(bytes, start + index * type.byteLength));
}

function readInterpreter(bytes: Uint8Array, segment: Segment, malformed: Malformed): ByteString {
	const content = segmentBytes(bytes, segment, malformed);
	const end = content.indexOf(0);
	if (content.byteLength > MAX_STRING_BYTES || end < 0) throw malformed("PT_INTERP is not a terminated string");
	const interpreter = byteStringOf(content.subarray(0, end));
	if (!interpreter.startsWith("/")) throw malformed("PT_INTERP is not an absolute path");
	return interpreter;
}

function segmentBytes(bytes: Uint8Array, segment: Segment, malformed: Malformed): Uint8Array {
	if (segment.offset + segment.fileBytes > bytes.byteLength) throw malformed("a segment is beyond the file's end");
	return bytes.subarray(segment.offset, segment.offset + segment.fileBytes);
}

function readDynamic(
	bytes: Uint8Array,
	segments: readonly Segment[],
	dynamic: Segment | undefined,
	wide: boolean,
	malformed: Malformed,
): Pick<ElfFile, "needed" | "rpath" | "runpath"> {
	if (dynamic === undefined) return { needed: [], rpath: [], runpath: undefined };
	const type = wide ? dynamic64 : dynamic32;
	const content = segmentBytes(bytes, dynamic, malformed);
	const neededOffsets: number[] = [];
	const values = new Map<number, number>();
	for (let at = 0; ; at += type.byteLength) {
		if (at / type.byteLength >= MAX_DYNAMIC_ENTRIES) throw malformed("the dynamic section has no end");
		// A section that ends without DT_NULL ends where its segment does.
		if (at + type.byteLength > content.byteLength) break;
		const { tag, value } = type.decode(content, at);
		if (tag === DT_NULL) break;
		if (tag === DT_NEEDED) neededOffsets.push(value);
		else values.set(tag, value);
	}
	if (neededOffsets.length > MAX_NEEDED) throw malformed(`${neededOffsets.length} needed libraries`);

	const strings = stringTable(bytes, segments, values.get(DT_STRTAB), values.get(DT_STRSZ), malformed);
	const stringAt = (offset: number): ByteString => {
		const end = offset < strings.byteLength ? strings.indexOf(0, offset) : -1;
		if (end < 0 || end - offset > MAX_STRING_BYTES) throw malformed(`no string at ${offset} of DT_STRTAB`);
		return byteStringOf(strings.subarray(offset, end));
	};
	const directories = (tag: number): readonly ByteString[] | undefined => {
		const offset = values.get(tag);
		return offset === undefined ? undefined : stringAt(offset).split(":");
	};
	const runpath = directories(DT_RUNPATH);
	return {
		needed: neededOffsets.map(stringAt),
		rpath: runpath === undefined ? (directories(DT_RPATH) ?? []) : [],
		runpath,
	};
}

/** The dynamic section names addresses in memory; the loadable segments say where those are in the file. */
function stringTable(
	bytes: Uint8Array,
	segments: readonly Segment[],
	address: number | undefined,
	byteLength: number | undefined,
	malformed: Malformed,
): Uint8Array {
	if (address === undefined || byteLength === undefined) return new Uint8Array();
	const load = segments.find(
		(segment) =>
			segment.type === PT_LOAD &&
			address >= segment.virtualAddress &&
			address + byteLength <= segment.virtualAddress + segment.fileBytes,
	);
	if (load === undefined) throw malformed("DT_STRTAB is in no loadable segment");
	const start = load.offset + (address - load.virtualAddress);
	if (start + byteLength > bytes.byteLength) throw malformed("DT_STRTAB is beyond the file's end");
	return bytes.subarray(start, start + byteLength);
}
