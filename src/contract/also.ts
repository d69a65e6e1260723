import { alsoPaths } from "../boot/iso-paths.ts";
import { startsWithLiveBoot } from "../boot/live-root/live-support.ts";
import { inRole } from "../errors.ts";
import { Findings } from "../findings/findings.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { Contract, ContractOptions, MenuEntry, Submenu } from "./contract.ts";
import { INITRD_PATH, KERNEL_PATH, withLabel, withPath } from "./menu.ts";
import { contractOf, readContractParts, requireMet } from "./read-contract.ts";

/** A system that a medium has beside its first one: a root file system, a kernel and menu entries of its own, started by the first one's boot loaders. */
export interface AlsoSystem {
	readonly name: string;
	/** Its image's, with the boot loaders of the first system; label and menu are those of a medium of its own. */
	readonly contract: Contract;
	/** The entries as this medium has them. */
	readonly submenu: Submenu;
}

/**
 * What the image of another system says of it, for the medium that `first` describes. Throws `Oci2isoError` CONTRACT_NOT_MET (exit 3) with what is missing, and where
 * either system is started in a way that has no place for a second one.
 */
export async function readAlso(
	name: string,
	tree: ImageTree,
	first: Contract,
	options: Pick<ContractOptions, "architecture" | "liveSupportOf">,
): Promise<AlsoSystem> {
	const { loaders, bootLoader, vendor, efi, shimNames, unicodeFont, grubModules } = first;
	return inRole(`--also ${name}`, async () => {
		const findings = new Findings();
		const boot = { vendor, efi, shimNames };
		const ofFirst = { tree: loaders, bootLoader, boot, unicodeFont, grubModules, findings };
		const parts = await readContractParts(tree, options, ofFirst);
		if (bootLoader !== "grub2")
			findings.problem({
				code: "ALSO_BOOT_LOADER",
				what: `${bootLoader} has no submenus, and starts kernels from the EFI system partition alone`,
				where: "--also",
				expected: "GRUB",
				remedy: "pass --bootloader grub2",
			});
		if (first.furtherKernels.some(({ version }) => version === name))
			findings.problem({
				code: "ALSO_NAME_TAKEN",
				what: "a further kernel of the first image has this version, and its files on the medium would have the same names",
				where: "--also",
				expected: "a name that is no such version",
			});
		const support = parts.kernel && (await options.liveSupportOf?.(parts.kernel));
		if (support !== undefined && startsWithLiveBoot(support))
			findings.problem({
				code: "ALSO_LIVE_BOOT",
				what: "the initramfs finds its root with live-boot, which takes any root file system that the medium has for it",
				where: "--also",
				expected: "dracut's dmsquash-live, which is told which one",
				remedy: "make this the first image, or its initramfs with dracut",
			});
		requireMet([...parts.findings.problems, ...findings.problems]);
		const contract = contractOf(parts);
		return { name, contract, submenu: submenuOf(name, contract, first.label) };
	});
}

function submenuOf(name: string, { grub2, label: own, osRelease }: Contract, label: string): Submenu {
	const { root, kernel, initramfs } = alsoPaths(name);
	const image = root.slice(root.lastIndexOf("/") + 1);
	const entries = grub2.entries.map(
		(entry): MenuEntry => ({
			name: entry.name,
			linux: `${withPath(withLabel(entry.linux, own, label), KERNEL_PATH, `/${kernel}`)} rd.live.squashimg=${image}`,
			initrd: withPath(entry.initrd, INITRD_PATH, `/${initramfs}`),
		}),
	);
	const product = (osRelease.name ?? osRelease.id ?? "Linux").replace(/[\p{Cc}\p{Cs}]/gu, " ");
	return { title: `${product} (${name})`, entries };
}

/** The first system's, whose menu offers the others too. */
export function withAlso(first: Contract, also: readonly AlsoSystem[]): Contract {
	if (also.length === 0) return first;
	const submenus = [...(first.grub2.submenus ?? []), ...also.map(({ submenu }) => submenu)];
	return { ...first, grub2: { ...first.grub2, submenus } };
}
