import type { Grub2Menu, MenuEntry } from "../../contract/contract.ts";
import { grubWords } from "../grub/menu-words.ts";
import { ISO_PATHS } from "../iso-paths.ts";
import { grubCommandLine } from "../live-root/kernel-command-line.ts";

/** A file of systemd-boot's configuration: its path on the EFI system partition, without leading slash, and its text, to be stored as UTF-8. */
export interface LoaderFile {
	readonly path: string;
	readonly text: string;
}

/**
 * The menu as systemd-boot reads it (Boot Loader Specification, type #1 entries): loader.conf, and a file for each entry, which `sort-key` keeps in the menu's order.
 * Texts of the menu are GRUB's command lines: what its kernel would be given is in `options`.
 */
export function renderLoaderFiles({
	timeoutSeconds,
	defaultEntry = 0,
	entries: ofFirst,
	submenus = [],
}: Grub2Menu): LoaderFile[] {
	// It has no submenus.
	const ofOthers = submenus.flatMap(({ title, entries }) =>
		entries.map((entry) => ({ ...entry, name: `${entry.name} (${title})` })),
	);
	const entries = [...ofFirst, ...ofOthers];
	const digits = String(entries.length).length;
	const idOf = (index: number): string => String(index + 1).padStart(digits, "0");
	const startsItself = ofFirst[defaultEntry] === undefined ? 0 : defaultEntry;
	return [
		{ path: ISO_PATHS.loaderConfig, text: `timeout ${timeoutSeconds}\ndefault ${idOf(startsItself)}.conf\n` },
		...entries.map((entry, index) => ({
			path: `${ISO_PATHS.loaderEntries}/${idOf(index)}.conf`,
			text: renderEntry(entry, idOf(index)),
		})),
	];
}

/** systemd-boot takes a pair of double quotes around a whole value away. */
function value(text: string): string {
	return text.startsWith('"') && text.endsWith('"') ? `"${text}"` : text;
}

function renderEntry({ name, linux, initrd, devicetree }: MenuEntry, sortKey: string): string {
	const [kernel = "", ...words] = grubWords(linux);
	// Where GRUB's line begins with the kernel, there is nothing here.
	const options = grubCommandLine(["", ...words]).text.slice(grubCommandLine([]).text.length + 1);
	return [
		`title ${value(name)}`,
		`sort-key ${sortKey}`,
		`linux ${kernel}`,
		...grubWords(initrd).map((path) => `initrd ${path}`),
		...(devicetree === undefined ? [] : [`devicetree ${devicetree}`]),
		...(options === "" ? [] : [`options ${value(options)}`]),
		"",
	].join("\n");
}
