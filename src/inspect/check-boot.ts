import type { CodecName } from "../codec/types.ts";
import type { Choice, Contract, ContractOptions } from "../contract/contract.ts";
import { chooseEfi } from "../contract/efi.ts";
import { Findings } from "../contract/findings.ts";
import { findGrubModules } from "../contract/grub-files.ts";
import { isoYamlPathIn, readIsoYaml } from "../contract/iso-yaml.ts";
import { chooseKernel } from "../contract/kernel.ts";
import { chooseLabel } from "../contract/label.ts";
import { chooseKernelArgs, chooseMenu } from "../contract/menu.ts";
import { readOsRelease } from "../contract/os-release.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import { type BootParts, readEfiParts, readInitramfsPart, readKernelConfig, readKernelPart } from "./boot-parts.ts";
import { checkLeftovers } from "./checks/container-leftovers.ts";
import { checkDrivers } from "./checks/drivers.ts";
import { checkGrubBios } from "./checks/grub-bios.ts";
import { checkGrubEfi } from "./checks/grub-efi.ts";
import { checkKernel, checkUnpacking } from "./checks/kernel.ts";
import { checkLiveSupport } from "./checks/live-system.ts";
import { checkMenu, defaultEntryOf } from "./checks/menu.ts";
import { checkUefi } from "./checks/secure-boot.ts";
import { checkSystem } from "./checks/system.ts";
import { type BootPath, type BootPaths, type Finding, FindingList } from "./finding.ts";
import { fixedIsoYaml } from "./menu-fix.ts";
import { grubWords } from "./menu-words.ts";

/** What the contract finds, part by part; undefined is what it does not. */
export interface ContractParts
	extends Pick<Contract, "osRelease" | "label">,
		Readonly<Record<"menu", Contract["grub2"]>> {
	readonly kernel: Contract["kernel"] | undefined;
	readonly boot: Pick<Contract, "vendor" | "efi"> | undefined;
	readonly grubModules: Pick<Contract["grubModules"], "path" | "files"> | undefined;
	/** The image says what `label` and `menu` are, or leaves them to the defaults; otherwise they stand in for what cannot be read. */
	readonly isMenuKnown: boolean;
	/** What was chosen where the contract leaves something open. */
	readonly choices: readonly Choice[];
}

/** The parts of a contract that is met. */
export function partsOf(contract: Contract): ContractParts {
	const { osRelease, label, grub2: menu, kernel, grubModules, choices } = contract;
	return { osRelease, label, menu, isMenuKnown: true, kernel, boot: contract, grubModules, choices };
}

/** Each part for itself, so that what is missing of one does not hide the others. */
export async function findParts(tree: ImageTree, options: ContractOptions): Promise<ContractParts> {
	const findings = new Findings();
	const osRelease = await readOsRelease(tree, findings);
	const before = findings.problems.length;
	const isoYaml = await readIsoYaml(tree, findings);
	const label = chooseLabel(
		{ option: options.label, isoYaml: isoYaml?.label, isoYamlPosition: undefined, osRelease },
		findings,
	);
	const kernelArgs = chooseKernelArgs(isoYaml, label, findings);
	const menu = chooseMenu(isoYaml, label, kernelArgs, osRelease, findings);
	return {
		osRelease,
		label,
		menu,
		isMenuKnown: findings.problems.length === before,
		kernel: await chooseKernel(tree, options.kernel, findings),
		boot: await chooseEfi(tree, options.vendor, osRelease, findings, options.architecture),
		grubModules: findGrubModules(tree, findings),
		choices: findings.choices,
	};
}

/** What the parts are, and everything that a boot of the ISO would come upon. `codec` is the squashfs's. */
export async function checkBoot(
	tree: ImageTree,
	found: ContractParts,
	codec: CodecName,
): Promise<{ readonly parts: BootParts; readonly findings: FindingList }> {
	const kernel = found.kernel && (await readKernelPart(tree, found.kernel));
	const release = kernel?.image.release ?? kernel?.version;
	const initramfs =
		found.kernel && release !== undefined ? await readInitramfsPart(tree, found.kernel.initramfs, release) : undefined;
	const parts: BootParts = {
		tree,
		osRelease: found.osRelease,
		label: found.label,
		menu: found.menu,
		codec,
		kernel,
		initramfs,
		config: release === undefined ? undefined : await readKernelConfig(tree, release),
		efi: found.boot && (await readEfiParts(tree, found.boot.efi)),
		hasGrubModules: found.grubModules !== undefined,
		isoYamlPath: isoYamlPathIn(tree),
		volumeUuid: undefined,
	};
	const findings = new FindingList();
	checkKernel(parts, findings);
	const entry = defaultEntryOf(parts)?.linux ?? "";
	if (checkUnpacking(parts, findings)) {
		checkLiveSupport(parts, entry, findings);
		await checkDrivers(parts, findings);
	}
	if (found.isMenuKnown) checkMenu(parts, findings);
	await checkSystem(parts, grubWords(entry).slice(1), findings);
	const { label, osRelease, menu: grub2 } = found;
	const planned = {
		label,
		osRelease,
		grub2,
		architecture: "x86_64",
		efi: found.boot?.efi,
		kernel: found.kernel,
		grubModules: found.grubModules,
	} as const;
	await checkGrubBios(parts, planned, findings);
	checkUefi(parts, findings);
	await checkGrubEfi(parts, planned, findings);
	await checkLeftovers(parts, findings);
	findings.fixMenu((fixes) => fixedIsoYaml(parts, fixes));
	return { parts, findings };
}

export function bootPathsOf(findings: readonly Finding[], isContractMet: boolean): BootPaths {
	const willNot = (path: BootPath): boolean => !isContractMet || findings.some(({ blocks }) => blocks.includes(path));
	const verdict = (path: BootPath) => (willNot(path) ? "will not boot" : "expected to boot");
	return { bios: verdict("bios"), uefi: verdict("uefi"), "secure-boot": verdict("secure-boot") };
}
