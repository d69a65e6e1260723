import { from0, record } from "../../../../binary/record.ts";
import { badGrubFile, coreTooBig } from "./failures.ts";

const NAME = "kernel.img";
/** Where the kernel runs, and where its memory must end: the scratch area of the real-mode code follows. */
export const KERNEL_ADDRESS = 0x9000;
const KERNEL_MEMORY_END = 0x68000;

/** ELF file header, 32 bits (System V ABI, "ELF Header"). */
const elfHeader = record("ELF header", 52, {
	magic: from0.text(0, 4),
	class: from0.u8(4),
	data: from0.u8(5),
	identVersion: from0.u8(6),
	machine: from0.u16le(18),
	version: from0.u32le(20),
	sectionHeaderOffset: from0.u32le(32),
	sectionHeaderBytes: from0.u16le(46),
	sectionHeaderCount: from0.u16le(48),
});
const ELF_MAGIC = "\x7fELF";
const CLASS_32 = 1;
const LITTLE_ENDIAN = 1;
const CURRENT_VERSION = 1;
const MACHINE_386 = 3;

/** System V ABI, "Sections". */
const sectionHeader = record("ELF section header", 40, {
	type: from0.u32le(4),
	flags: from0.u32le(8),
	address: from0.u32le(12),
	offset: from0.u32le(16),
	byteLength: from0.u32le(20),
});
type SectionHeader = ReturnType<typeof sectionHeader.decode>;
const TYPE_PROGBITS = 1;
const TYPE_NOBITS = 8;
const FLAG_ALLOC = 2;
const FLAG_EXECUTABLE = 4;

/**
 * What of kernel.img is in memory at 0x9000 when GRUB starts: its code, then its initialized data, each section at its address.
 * Uninitialized data is not in it. Throws `Oci2isoError` GRUB_KERNEL_FORMAT or GRUB_CORE_TOO_BIG.
 */
export function kernelMemory(file: Uint8Array): Uint8Array {
	const sections = readSections(file);
	const code = sections.filter((section) => isLoaded(section) && isExecutable(section));
	const data = sections.filter((section) => isLoaded(section) && !isExecutable(section));
	if (code.length === 0) throw bad("it has no code");
	if (code.some(({ address }) => address !== KERNEL_ADDRESS)) throw bad("its code is linked elsewhere");
	const end = Math.max(...sections.filter(usesMemory).map(({ address, byteLength }) => address + byteLength));
	if (end > KERNEL_MEMORY_END) throw coreTooBig(`the kernel ends at address ${end}`, `at most ${KERNEL_MEMORY_END}`);

	const memory = new Uint8Array(Math.max(...[...code, ...data].map(endOf)) - KERNEL_ADDRESS);
	let filled = KERNEL_ADDRESS;
	for (const section of [...code, ...data]) {
		const { address, offset, byteLength } = section;
		if (address < filled) throw bad(`its sections overlap at address ${address}`);
		if (offset + byteLength > file.byteLength)
			throw bad(`a section ends at byte ${offset + byteLength} of ${file.byteLength}`);
		memory.set(file.subarray(offset, offset + byteLength), address - KERNEL_ADDRESS);
		filled = endOf(section);
	}
	return memory;
}

function readSections(file: Uint8Array): SectionHeader[] {
	if (file.byteLength < elfHeader.byteLength) throw bad(`it has ${file.byteLength} bytes`);
	const header = elfHeader.decode(file);
	const isKernel =
		header.magic === ELF_MAGIC &&
		header.class === CLASS_32 &&
		header.data === LITTLE_ENDIAN &&
		header.identVersion === CURRENT_VERSION &&
		header.version === CURRENT_VERSION &&
		header.machine === MACHINE_386;
	if (!isKernel) throw bad("it is no ELF file for the 80386");
	const { sectionHeaderOffset, sectionHeaderBytes, sectionHeaderCount } = header;
	if (sectionHeaderBytes < sectionHeader.byteLength) throw bad(`its section headers have ${sectionHeaderBytes} bytes`);
	if (sectionHeaderOffset + sectionHeaderBytes * sectionHeaderCount > file.byteLength) {
		throw bad("its section headers are beyond its end");
	}
	return Array.from({ length: sectionHeaderCount }, (_, index) =>
		sectionHeader.decode(file, sectionHeaderOffset + index * sectionHeaderBytes),
	);
}

function isLoaded({ type, flags }: SectionHeader): boolean {
	return type === TYPE_PROGBITS && (flags & FLAG_ALLOC) !== 0;
}

function isExecutable({ flags }: SectionHeader): boolean {
	return (flags & FLAG_EXECUTABLE) !== 0;
}

function usesMemory(section: SectionHeader): boolean {
	return isLoaded(section) || section.type === TYPE_NOBITS;
}

function endOf({ address, byteLength }: SectionHeader): number {
	return address + byteLength;
}

function bad(what: string) {
	const expected = `GRUB's kernel: ELF, 32 bits, 80386, linked at address ${KERNEL_ADDRESS}`;
	return badGrubFile("GRUB_KERNEL_FORMAT", NAME, what, expected);
}
