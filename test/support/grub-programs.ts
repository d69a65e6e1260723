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
		...modules.map((name) => moduleOf(0, moduleFile(name, "x86_64-efi"))),
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

/** A module as GRUB's loader takes it: an ELF object with sections for its name and what it depends on. */
export function moduleFile(
	name: string,
	platform: "i386-pc" | "x86_64-efi",
	dependencies: readonly string[] = [],
): Buffer {
	const is64 = platform === "x86_64-efi";
	const contents = new Map([
		[".shstrtab", Buffer.from("\0.shstrtab\0.modname\0.moddeps\0", "latin1")],
		[".modname", Buffer.from(`${name}\0`, "latin1")],
		[".moddeps", Buffer.from(dependencies.map((each) => `${each}\0`).join(""), "latin1")],
	]);
	const strings = contents.get(".shstrtab") ?? Buffer.alloc(0);
	const header = Buffer.alloc(64);
	header.write(`\x7fELF${is64 ? "\x02" : "\x01"}\x01\x01`, 0, "latin1");
	header.writeUInt16LE(1, 16);
	header.writeUInt16LE(is64 ? 62 : 3, 18);
	header.writeUInt32LE(1, 20);
	const word = (bytes: Buffer, at: number, value: number) =>
		is64 ? bytes.writeBigUInt64LE(BigInt(value), at) : bytes.writeUInt32LE(value, at);
	const body = Buffer.concat([header, ...contents.values()]);
	word(header, is64 ? 40 : 32, body.byteLength);
	header.writeUInt16LE(is64 ? 64 : 40, is64 ? 58 : 46);
	header.writeUInt16LE(contents.size, is64 ? 60 : 48);
	let offset = header.byteLength;
	const sections = [...contents].map(([section, { byteLength }]) => {
		const bytes = Buffer.alloc(is64 ? 64 : 40);
		bytes.writeUInt32LE(strings.indexOf(`${section}\0`));
		word(bytes, is64 ? 24 : 16, offset);
		word(bytes, is64 ? 32 : 20, byteLength);
		offset += byteLength;
		return bytes;
	});
	return aligned(Buffer.concat([header, body.subarray(header.byteLength), ...sections]), 8);
}
