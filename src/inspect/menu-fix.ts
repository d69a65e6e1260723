import { grubWord, grubWords } from "../boot/grub/menu-words.ts";
import { udevLabel } from "../boot/live-root/live-medium.ts";
import type { MenuEntry } from "../contract/contract.ts";
import { ISO_YAML_PATHS } from "../contract/iso-yaml.ts";
import { INITRD_PATH, KERNEL_PATH } from "../contract/menu.ts";
import type { ContainerfileLines } from "../findings/finding.ts";
import type { BootParts } from "./boot-parts.ts";

/** Arguments that mean nothing to live-boot. */
const FOR_DRACUT = ["root", "rd.live.image", "rd.live.overlay.overlayfs", "rd.overlay", "inst.stage2"];
/** Longer ones nobody copies. */
const MAX_LINE_CHARACTERS = 16 * 1024;

/** What would make a menu entry right. */
export interface MenuFix {
	/** Indices of the entries; absent: every one. */
	readonly entries?: ReadonlySet<number> | undefined;
	/** The ISO's kernel and initramfs. */
	readonly paths?: boolean | undefined;
	/** Names the medium by its label, for dmsquash-live or for the installer; or says that live-boot looks for it. */
	readonly root?: "live" | "installer" | "live-boot" | undefined;
	readonly drop?: readonly string[] | undefined;
	/** Arguments that replace those of the same names. */
	readonly set?: readonly string[] | undefined;
}

/**
 * A `RUN` line that writes the iso.yaml in use anew, with all of the fixes; the same for every finding of the menu, so that one line does it and
 * none undoes another. Undefined where it would be too long to copy.
 */
export function fixedIsoYaml(parts: BootParts, fixes: readonly MenuFix[]): ContainerfileLines | undefined {
	const { label, menu, isoYamlPath = ISO_YAML_PATHS.at(-1) ?? "" } = parts;
	const { timeoutSeconds: timeout, defaultEntry, entries } = menu;
	const isDefaultThere = defaultEntry !== undefined && defaultEntry < entries.length;
	const yaml = JSON.stringify({
		label,
		grub2: {
			timeout,
			...(isDefaultThere ? { default: defaultEntry } : {}),
			entries: entries.map((entry, index) => {
				const own = fixes.filter((fix) => fix.entries === undefined || fix.entries.has(index));
				return escaped(own.reduce((fixed, fix) => applied(fix, fixed, label), entry));
			}),
		},
	});
	const directory = isoYamlPath.slice(0, isoYamlPath.lastIndexOf("/"));
	const line = `RUN mkdir -p ${directory} && printf '%s\\n' '${yaml.replaceAll("'", "'\\''")}' > ${isoYamlPath}`;
	return line.length > MAX_LINE_CHARACTERS ? undefined : { fedora: line, debian: line };
}

function applied({ paths, root, drop = [], set = [] }: MenuFix, entry: MenuEntry, label: string): MenuEntry {
	const [kernel = "", ...args] = grubWords(entry.linux);
	const named = udevLabel(label);
	const added = [
		...(root === "live" ? [`root=live:CDLABEL=${named}`, "rd.live.image"] : []),
		...(root === "installer" ? [`inst.stage2=hd:LABEL=${named}`] : []),
		...(root === "live-boot" ? ["boot=live", "components"] : []),
		...set,
	];
	const gone = new Set([...drop, ...(root === "live-boot" ? FOR_DRACUT : []), ...added.map(nameOf)]);
	const words = [paths === true ? KERNEL_PATH : kernel, ...args.filter((word) => !gone.has(nameOf(word))), ...added];
	return {
		name: entry.name,
		linux: words.map(grubWord).join(" "),
		initrd: paths === true ? INITRD_PATH : entry.initrd,
	};
}

function nameOf(argument: string): string {
	const equals = argument.indexOf("=");
	return equals < 0 ? argument : argument.slice(0, equals);
}

/** In iso.yaml a dollar stands for itself only twice. */
function escaped({ name, linux, initrd }: MenuEntry): MenuEntry {
	const twice = (text: string): string => text.replaceAll("$", "$$$$");
	return { name: twice(name), linux: twice(linux), initrd: twice(initrd) };
}
