import type { Contract, MenuEntry } from "../../contract/contract.ts";
import { Oci2isoError } from "../../errors.ts";
import { grubWords } from "../grub/menu-words.ts";
import { ISO_PATHS } from "../iso-paths.ts";

/** The root file system's name in a set of files for network boot. */
export const NETBOOT_ROOT = "rootfs.img";

/** Where the set has what the ISO has at `isoPath`; undefined for what a network boot does not need. */
export function netbootPath(isoPath: string): string | undefined {
	const prefix = `${ISO_PATHS.kernelDirectory}/`;
	return isoPath.startsWith(prefix) ? isoPath.slice(prefix.length) : undefined;
}

/** An entry of the menu, started from the network. Paths are those of the set. */
export interface NetbootEntry {
	readonly name: string;
	readonly kernel: string;
	/** The kernel's arguments behind that of the root file system, as GRUB has them when it has read its menu. */
	readonly words: readonly string[];
	readonly initrds: readonly string[];
	readonly devicetree: string | undefined;
}

/** Names the root file system of the set to dracut's livenet, behind it a URL (dracut.cmdline(7)). */
export const ROOT_ARGUMENT = "root=live:";
const FROM_MEDIUM = /^(root=|rd\.live\.check(=|$)|iso-scan\/filename=)/;

/**
 * What the menu starts, submenus included, without what says where the medium is and that it is to be checked. Throws `Oci2isoError` NETBOOT_ENTRY (exit 3)
 * for an entry that starts what the set does not have.
 */
export function netbootEntries({ grub2 }: Pick<Contract, "grub2">): NetbootEntry[] {
	const submenus = (grub2.submenus ?? []).flatMap(({ title, entries }) =>
		entries.map((entry) => ({ ...entry, name: `${entry.name} (${title})` })),
	);
	return [...grub2.entries, ...submenus].map((entry) => {
		const [kernel = "", ...words] = grubWords(entry.linux);
		const kept = words.filter((word) => !FROM_MEDIUM.test(word));
		return {
			name: entry.name,
			kernel: placeOf(kernel, entry),
			words: kept.some((word) => word.startsWith("ip=")) ? kept : [...kept, "ip=dhcp"],
			initrds: grubWords(entry.initrd).map((path) => placeOf(path, entry)),
			devicetree: entry.devicetree === undefined ? undefined : placeOf(entry.devicetree, entry),
		};
	});
}

function placeOf(path: string, { name }: MenuEntry): string {
	const found = netbootPath(path.replace(/^(\(\$root\))?\//, ""));
	if (found !== undefined) return found;
	throw new Oci2isoError({
		code: "NETBOOT_ENTRY",
		kind: "contract",
		what: `a menu entry starts what a set for network boot does not have: ${path}`,
		where: name,
		expected: `a file of /${ISO_PATHS.kernelDirectory}`,
	});
}
