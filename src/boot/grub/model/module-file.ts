import type { ByteString } from "../../../binary/byte-string.ts";
import { byteStringOf } from "../../../binary/byte-string.ts";
import { type ElfFile, openElf, untilNul } from "../../elf-sections.ts";
import type { GrubPlatform } from "../../machines.ts";

const RELOCATABLE = 1;
const MAX_NAME_BYTES = 64;

export interface GrubModuleFile {
	readonly name: ByteString;
	/** Modules that must be loaded before it. */
	readonly dependencies: readonly ByteString[];
}

/** A `.mod` file as GRUB's loader (kern/dl.c) takes it; or why it does not, in words. */
export function readGrubModule(bytes: Uint8Array, platform: GrubPlatform): GrubModuleFile | string {
	const elf = openElf(bytes);
	if (elf === undefined) return "it is no ELF file";
	if (elf.width !== platform.elfClass || elf.machine !== platform.elfMachine || elf.type !== RELOCATABLE)
		return `it is no ELF object for ${platform.name}`;
	try {
		const name = moduleName(elf);
		if (name === undefined) return "it has no module's name";
		const list = byteStringOf(elf.section(".moddeps") ?? Buffer.alloc(0));
		return { name, dependencies: list.split("\0").filter((each) => each !== "") };
	} catch (error) {
		if (error instanceof RangeError) return "its ELF headers lead out of it";
		throw error;
	}
}

/** What GRUB's loader takes for a module's name: its section `.modname`. */
export function moduleName(elf: ElfFile): ByteString | undefined {
	const section = elf.section(".modname");
	return section === undefined ? undefined : untilNul(section.subarray(0, MAX_NAME_BYTES));
}
