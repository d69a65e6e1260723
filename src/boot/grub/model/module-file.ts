import type { ByteString } from "../../../binary/byte-string.ts";
import { byteStringOf } from "../../../binary/byte-string.ts";
import { type ElfFile, openElf, untilNul } from "../../elf-sections.ts";

export type GrubPlatform = "i386-pc" | "x86_64-efi";

/** ELF's class and machine (EM_386, EM_X86_64) of each platform's modules, which are relocatable objects (ET_REL). */
const ELF: Readonly<Record<GrubPlatform, { readonly width: number; readonly machine: number }>> = {
	"i386-pc": { width: 1, machine: 3 },
	"x86_64-efi": { width: 2, machine: 62 },
};
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
	const { width, machine } = ELF[platform];
	if (elf.width !== width || elf.machine !== machine || elf.type !== RELOCATABLE)
		return `it is no ELF object for ${platform}`;
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
