export interface IsoYaml {
	readonly label: string;
	readonly grub2?: {
		readonly timeout?: number;
		readonly default?: number;
		readonly entries?: readonly { readonly name: string; readonly linux: string; readonly initrd: string }[];
	};
}

/** grub.cfg as the reference converter renders it for an iso.yaml with entries and without `$` in them. */
export function referenceGrubCfg(yaml: IsoYaml, firmware: "uefi" | "bios"): string {
	const { timeout = 60, default: defaultEntry = 0, entries = [] } = yaml.grub2 ?? {};
	const video =
		firmware === "uefi" ? ["efi_gop", "efi_uga", "video_bochs", "video_cirrus", "all_video"] : ["all_video"];
	const menu = entries.map(
		({ name, linux, initrd }) => `
menuentry '${name}' --class fedora --class gnu-linux --class gnu --class os {
	linux ${linux}
	initrd ${initrd}
}`,
	);
	return `${defaultEntry > 0 ? `set default="${defaultEntry}"\n` : ""}
function load_video {
${video.map((module) => `  insmod ${module}\n`).join("")}}

load_video
set gfxpayload=keep
insmod gzio
insmod part_gpt
insmod ext2
${firmware === "bios" ? "insmod chain\n" : ""}
set timeout=${timeout === 0 ? 60 : timeout}
### END /etc/grub.d/00_header ###

search --no-floppy --set=root -l '${yaml.label}'

${menu.join("")}




`;
}
