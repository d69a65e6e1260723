import { aligned, moduleOf } from "./raw-lzma.ts";
import { makeProgram } from "./verify-programs.ts";

export interface GrubParts {
	readonly prefix?: string;
	readonly configuration?: string;
	readonly memoryDisk?: Uint8Array;
	/** Built-in modules; absent: those of Debian's build that matter here. */
	readonly modules?: readonly string[];
	/** Variable that its kernel sets to the place that it was started from. */
	readonly variable?: "cmdpath" | "fw_path";
}

export const USUAL_MODULES = [
	...["part_gpt", "fat", "iso9660", "memdisk", "squash4", "tar", "normal", "configfile", "test", "true", "search"],
	...["search_fs_file", "search_label", "search_fs_uuid", "linux", "halt", "loopback", "echo", "minicmd"],
];

/** What Debian has in the memory disk of its builds for removable media, in another writer's words. */
export const DEBIAN_LIKE_SCRIPT = `
if [ -z "$prefix" -o ! -e "$prefix" ]; then
	search --file --set=root /.disk/info
	set prefix=($root)/boot/grub
fi
if [ -e $prefix/x86_64-efi/grub.cfg ]; then source $prefix/x86_64-efi/grub.cfg
elif [ -e $prefix/grub.cfg ]; then source $prefix/grub.cfg
else source $cmdpath/grub.cfg; fi
`;

/** An EFI program with what the walk reads of a GRUB: variables of its kernel, and modules with names. */
export function makeGrub({ prefix, configuration, memoryDisk, modules = USUAL_MODULES, variable }: GrubParts): Buffer {
	const text = (content: string) => aligned(Buffer.from(`${content}\0`, "latin1"), 8);
	const list = Buffer.concat([
		...modules.map((name) => moduleOf(0, namedElf(name))),
		...(memoryDisk === undefined ? [] : [moduleOf(1, aligned(Buffer.from(memoryDisk), 8))]),
		...(configuration === undefined ? [] : [moduleOf(2, text(configuration))]),
		...(prefix === undefined ? [] : [moduleOf(3, text(prefix))]),
	]);
	const info = Buffer.alloc(24);
	info.write("mimg", 0, "latin1");
	info.writeUInt32LE(24, 8);
	info.writeUInt32LE(24 + list.byteLength, 16);
	return makeProgram({
		".text": Buffer.alloc(900, "grub"),
		".data": Buffer.from(`\0root\0${variable === undefined ? "" : `${variable}\0`}prefix\0`),
		mods: Buffer.concat([info, list]),
	});
}

/** A 64-bit ELF object of two sections: their names, and the module's name. */
function namedElf(name: string): Buffer {
	const strings = Buffer.from("\0.shstrtab\0.modname\0", "latin1");
	const content = Buffer.from(`${name}\0`, "latin1");
	const header = Buffer.alloc(64);
	header.write("\x7fELF\x02\x01\x01", 0, "latin1");
	const sections = 64 + strings.byteLength + content.byteLength;
	header.writeBigUInt64LE(BigInt(sections), 40);
	header.writeUInt16LE(64, 58);
	header.writeUInt16LE(2, 60);
	const section = (nameAt: number, offset: number, byteLength: number): Buffer => {
		const bytes = Buffer.alloc(64);
		bytes.writeUInt32LE(nameAt);
		bytes.writeBigUInt64LE(BigInt(offset), 24);
		bytes.writeBigUInt64LE(BigInt(byteLength), 32);
		return bytes;
	};
	return aligned(
		Buffer.concat([
			header,
			strings,
			content,
			section(1, 64, strings.byteLength),
			section(11, 64 + strings.byteLength, content.byteLength),
		]),
		8,
	);
}
