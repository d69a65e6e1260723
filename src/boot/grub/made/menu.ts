import { utf8TextOf } from "../../../binary/byte-string.ts";
import type { Contract, Grub2Menu, GrubAdditions, MenuEntry, UnifiedKernelFile } from "../../../contract/contract.ts";
import { assert } from "../../../errors.ts";
import { GRUB_FONT_SUFFIX, GRUB_THEME, grubAdditionPath, ISO_PATHS, unifiedKernelPath } from "../../iso-paths.ts";
import { InitramfsArguments } from "../../live-root/argument-lookup.ts";
import { grubCommandLine } from "../../live-root/kernel-command-line.ts";
import { grubWords } from "../menu-words.ts";
import { commandArguments, singleQuoted } from "./quoting.ts";

export type Firmware = "uefi" | "bios";

const VIDEO_MODULES: Readonly<Record<Firmware, readonly string[]>> = {
	uefi: ["efi_gop", "efi_uga", "video_bochs", "video_cirrus", "all_video"],
	bios: ["all_video"],
};
const PRELOADED_MODULES: Readonly<Record<Firmware, readonly string[]>> = {
	uefi: ["gzio", "part_gpt", "ext2"],
	bios: ["gzio", "part_gpt", "ext2", "chain"],
};
interface MenuAdditions {
	readonly unifiedKernels?: Contract["unifiedKernels"] | undefined;
	readonly grubAdditions?: Contract["grubAdditions"] | undefined;
}

/**
 * grub.cfg as the reference converter renders it, byte for byte where no text needs quoting; to be stored as UTF-8.
 * Names and the label are quoted and kernel lines escaped, so that none of them changes the menu's structure.
 */
export function renderGrubConfig(
	contract: Pick<Contract, "label" | "grub2"> & MenuAdditions,
	firmware: Firmware,
): string {
	const { timeoutSeconds, defaultEntry, isBuiltIn } = contract.grub2;
	return [
		...(defaultEntry === undefined ? [] : [`set default="${defaultEntry}"`]),
		"",
		"function load_video {",
		...VIDEO_MODULES[firmware].map((name) => `  insmod ${name}`),
		"}",
		"",
		"load_video",
		"set gfxpayload=keep",
		...PRELOADED_MODULES[firmware].map((name) => `insmod ${name}`),
		"",
		`set timeout=${timeoutSeconds}`,
		"### END /etc/grub.d/00_header ###",
		"",
		`search --no-floppy --set=root -l ${singleQuoted(contract.label)}`,
		"",
		...additionLines(contract.grubAdditions),
		// The blank lines are what remains of the reference's places for entries that are switched off.
		...(isBuiltIn ? ["", ""] : [""]),
		...menuLines(contract.grub2, () => ""),
		// No BIOS starts an EFI program.
		...(firmware === "uefi" ? (contract.unifiedKernels ?? []) : []).flatMap(unifiedKernelEntry),
		...(isBuiltIn ? ["", "", "", ""] : ["", "", "", "", ""]),
	].join("\n");
}

/**
 * loopback.cfg: the same entries for a GRUB that has opened the ISO, a file on some disk, as the device in `root`, and has exported that file's path as
 * `iso_path`. With it the initramfs finds the file anew: dracut's iso-scan and casper by `iso-scan/filename`, live-boot by `findiso`.
 */
export function renderLoopbackConfig({ grub2 }: Pick<Contract, "grub2">): string {
	const { timeoutSeconds, defaultEntry } = grub2;
	return [
		...(defaultEntry === undefined ? [] : [`set default="${defaultEntry}"`]),
		`set timeout=${timeoutSeconds}`,
		"",
		...menuLines(grub2, (entry) => ` ${isoFileArgument(entry)}="\${iso_path}"`),
		"",
	].join("\n");
}

function isoFileArgument({ linux }: MenuEntry): string {
	const { text } = grubCommandLine(grubWords(linux));
	return new InitramfsArguments([text]).value("boot") === "live" ? "findiso" : "iso-scan/filename";
}

/** Entries, and those of further kernels in submenus. `moreOf` is GRUB's language, behind the kernel's arguments. */
function menuLines({ entries, submenus = [] }: Grub2Menu, moreOf: (entry: MenuEntry) => string): string[] {
	return [
		...entries.flatMap((entry) => menuEntry(entry, moreOf(entry))),
		...submenus.flatMap((submenu) => [
			`submenu ${singleQuoted(submenu.title)} {`,
			...submenu.entries.flatMap((entry) => menuEntry(entry, moreOf(entry))),
			"}",
		]),
	];
}

const PICTURE_READERS = [
	[/\.png$/i, "png"],
	[/\.jpe?g$/i, "jpeg"],
	[/\.tga$/i, "tga"],
] as const;

/** What a theme takes: the menu in graphics, and readers of its pictures. */
export function menuModules({ files }: GrubAdditions): string[] {
	const readers = PICTURE_READERS.filter(([name]) => files.some(({ relativePath }) => name.test(relativePath)));
	return ["gfxterm", "gfxmenu", ...readers.map(([, reader]) => reader)];
}

/** Of both firmwares, once `root` is the volume; the image's own script comes last, so that what it sets counts. */
function additionLines(additions: Contract["grubAdditions"]): string[] {
	if (additions === undefined) return [];
	const { script, files, hasTheme } = additions;
	// Under Secure Boot GRUB has its own font only, and reads no other.
	const fonts = files.filter(({ relativePath }) => relativePath.endsWith(GRUB_FONT_SUFFIX));
	const loads = fonts.map(({ relativePath }) => {
		const path = `/${grubAdditionPath(relativePath)}`;
		return `if loadfont ${singleQuoted(utf8TextOf(path) ?? path)}; then true; fi`;
	});
	const theme = [
		...menuModules(additions).map((name) => `insmod ${name}`),
		...loads,
		// The last one is what the terminal takes that names none, and a large one would not fit.
		`if loadfont /${ISO_PATHS.efiFont}; then true; else loadfont unicode; fi`,
		"set gfxmode=auto",
		"terminal_output gfxterm",
		`set theme=($root)/${grubAdditionPath(GRUB_THEME)}`,
		"export theme",
	];
	return [...(hasTheme ? theme : loads), ...(script === "" ? [] : [script.slice(0, -1)]), ""];
}

function unifiedKernelEntry({ name, title }: UnifiedKernelFile): string[] {
	return [
		`menuentry ${singleQuoted(`${title}, unified kernel image`)} --class gnu-linux --class gnu --class os {`,
		`\tchainloader /${unifiedKernelPath(name)}`,
		"}",
	];
}

function menuEntry({ name, linux, initrd, devicetree }: MenuEntry, more: string): string[] {
	for (const text of [name, linux, initrd]) assert(!/[\n\r\0]/.test(text), "a menu text has more than one line");
	return [
		`menuentry ${singleQuoted(name)} --class fedora --class gnu-linux --class gnu --class os {`,
		`\tlinux ${commandArguments(linux)}${more}`,
		...(devicetree === undefined ? [] : [`\tdevicetree ${commandArguments(devicetree)}`]),
		`\tinitrd ${commandArguments(initrd)}`,
		"}",
	];
}
