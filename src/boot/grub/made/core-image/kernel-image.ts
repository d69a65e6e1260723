import { type ElfSection, openElf } from "../../../elf-sections.ts";
import { PC_BIOS } from "../../../machines.ts";
import { badGrubFile, coreTooBig } from "./failures.ts";

const NAME = "kernel.img";
/** Where the kernel runs, and where its memory must end: the scratch area of the real-mode code follows. */
export const KERNEL_ADDRESS = 0x9000;
const KERNEL_MEMORY_END = 0x68000;

/** System V ABI, "Sections". */
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

function readSections(file: Uint8Array): ElfSection[] {
	const elf = openElf(file);
	if (elf?.width !== PC_BIOS.elfClass || elf.machine !== PC_BIOS.elfMachine)
		throw bad("it is no ELF file for the 80386");
	try {
		return elf.sections();
	} catch (error) {
		if (error instanceof RangeError) throw bad("its section headers are not in it");
		throw error;
	}
}

function isLoaded({ type, flags }: ElfSection): boolean {
	return type === TYPE_PROGBITS && (flags & FLAG_ALLOC) !== 0;
}

function isExecutable({ flags }: ElfSection): boolean {
	return (flags & FLAG_EXECUTABLE) !== 0;
}

function usesMemory(section: ElfSection): boolean {
	return isLoaded(section) || section.type === TYPE_NOBITS;
}

function endOf({ address, byteLength }: ElfSection): number {
	return address + byteLength;
}

function bad(what: string) {
	const expected = `GRUB's kernel: ELF, 32 bits, 80386, linked at address ${KERNEL_ADDRESS}`;
	return badGrubFile("GRUB_KERNEL_FORMAT", NAME, what, expected);
}
