import { displayName } from "../binary/byte-string.ts";
import type { CodecName } from "../codec/types.ts";
import type { Choice, Contract, KernelFiles, OsRelease } from "../contract/contract.ts";
import { chooseEfi } from "../contract/efi.ts";
import { Findings } from "../contract/findings.ts";
import { findGrubModules } from "../contract/grub-files.ts";
import { readIsoYaml } from "../contract/iso-yaml.ts";
import { chooseKernel } from "../contract/kernel.ts";
import { chooseLabel } from "../contract/label.ts";
import { chooseKernelArgs, chooseMenu } from "../contract/menu.ts";
import { readOsRelease } from "../contract/os-release.ts";
import { readContract } from "../contract/read-contract.ts";
import { Oci2isoError, type Problem } from "../errors.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import { type BootParts, readEfiParts, readInitramfsPart, readKernelConfig, readKernelPart } from "./boot-parts.ts";
import { checkDrivers } from "./checks/drivers.ts";
import { checkGrubModules } from "./checks/grub-bios.ts";
import { checkKernel, checkUnpacking } from "./checks/kernel.ts";
import { checkLiveSupport } from "./checks/live-system.ts";
import { checkMenu, defaultEntryArgs } from "./checks/menu.ts";
import { checkUefi } from "./checks/secure-boot.ts";
import { checkSystem } from "./checks/system.ts";
import { checkTools, type FoundTool } from "./checks/tools.ts";
import { CONTRACT_LINES } from "./containerfile.ts";
import { type BootPath, type ContainerfileLines, type Finding, FindingList } from "./finding.ts";

export interface InspectOptions {
	/** Of the image, as OCI names it: `amd64`. */
	readonly architecture: string;
	readonly label?: string | undefined;
	readonly kernel?: string | undefined;
	readonly vendor?: string | undefined;
	/** Compressor of the squashfs that would be built; absent: zstd. */
	readonly codec?: CodecName | undefined;
}

/** A contract violation with the line that would fix it. */
export interface Violation extends Problem {
	readonly containerfile?: ContainerfileLines | undefined;
}

/** What an image is, whether it builds, and whether the ISO boots. */
export interface Inspection {
	readonly contract: {
		readonly version: string;
		readonly isMet: boolean;
		readonly violations: readonly Violation[];
		readonly choices: readonly Choice[];
	};
	readonly osRelease: OsRelease;
	readonly label: string;
	readonly menu: Contract["grub2"];
	readonly kernel: InspectedKernel | undefined;
	readonly initramfs: InspectedInitramfs | undefined;
	readonly efi: InspectedEfi | undefined;
	readonly tools: readonly FoundTool[];
	readonly findings: readonly Finding[];
	/** Whether each way of starting the ISO is expected to reach the image's init. */
	readonly bootPaths: Readonly<Record<BootPath, "expected to boot" | "will not boot">>;
	/** It builds, and boots with BIOS and with UEFI. */
	readonly isBootable: boolean;
}

export interface InspectedKernel {
	readonly version: string;
	readonly path: string;
	readonly release: string | undefined;
	readonly architecture: string | undefined;
}

export interface InspectedInitramfs {
	readonly path: string;
	readonly byteLength: number;
	readonly segments: readonly { readonly compression: string; readonly entries: number }[];
	readonly modules: number;
}

export interface InspectedEfi {
	readonly vendor: string;
	readonly shim: string;
	readonly mokManager: string;
	readonly grub: string;
}

/**
 * Checks an image's tree: what the contract finds, and what a boot would. Throws `Oci2isoError` only where the image cannot be read.
 * What hostile content can cost is bounded: files and unpacked initramfs are limited, and nothing of the image is run.
 */
export async function inspectTree(tree: ImageTree, options: InspectOptions): Promise<Inspection> {
	const { isMet, violations, choices } = await contractOf(tree, options);
	// The same parts once more, each for itself: a violation in one does not hide the others.
	const partial = await findParts(tree, options);
	const codec = options.codec ?? "zstd";
	const kernel = partial.kernel && (await readKernelPart(tree, partial.kernel));
	const release = kernel?.image.release ?? kernel?.version;
	const initramfs =
		partial.kernel && release !== undefined
			? await readInitramfsPart(tree, partial.kernel.initramfs, release)
			: undefined;
	const parts: BootParts = {
		tree,
		osRelease: partial.osRelease,
		label: partial.label,
		menu: partial.menu,
		codec,
		kernel,
		initramfs,
		config: release === undefined ? undefined : await readKernelConfig(tree, release),
		efi: partial.boot && (await readEfiParts(tree, partial.boot.efi)),
		hasGrubModules: partial.hasGrubModules,
	};
	const findings = new FindingList();
	checkKernel(parts, findings);
	const args = defaultEntryArgs(parts);
	if (checkUnpacking(parts, findings)) {
		checkLiveSupport(parts, args, findings);
		await checkDrivers(parts, findings);
	}
	checkMenu(parts, findings);
	await checkSystem(parts, args, findings);
	await checkGrubModules(parts, findings);
	checkUefi(parts, findings);
	const tools = await checkTools(tree, findings);
	const willNot = (path: BootPath): boolean => !isMet || findings.all.some(({ blocks }) => blocks.includes(path));
	const verdict = (path: BootPath) => (willNot(path) ? "will not boot" : "expected to boot");
	return {
		contract: { version: "0.1.0", isMet, violations, choices },
		osRelease: partial.osRelease,
		label: partial.label,
		menu: partial.menu,
		kernel: kernel && {
			version: kernel.version,
			path: displayName(kernel.file.path),
			release: kernel.image.release,
			architecture: kernel.image.architecture,
		},
		initramfs: initramfs && {
			path: displayName(initramfs.file.path),
			byteLength: initramfs.file.inode.byteLength,
			segments: initramfs.content.segments.map(({ compression, entries }) => ({ compression, entries })),
			modules: initramfs.drivers.fileCount,
		},
		efi: partial.boot && {
			vendor: partial.boot.vendor,
			shim: displayName(partial.boot.efi.shim.path),
			mokManager: displayName(partial.boot.efi.mokManager.path),
			grub: displayName(partial.boot.efi.grub.path),
		},
		tools,
		findings: findings.all,
		bootPaths: { bios: verdict("bios"), uefi: verdict("uefi"), "secure-boot": verdict("secure-boot") },
		isBootable: isMet && !findings.all.some(({ severity }) => severity === "blocker"),
	};
}

async function contractOf(
	tree: ImageTree,
	options: InspectOptions,
): Promise<{ isMet: boolean; violations: readonly Violation[]; choices: readonly Choice[] }> {
	try {
		const { choices } = await readContract(tree, options);
		return { isMet: true, violations: [], choices };
	} catch (error) {
		if (!(error instanceof Oci2isoError) || error.kind !== "contract") throw error;
		const problems: readonly Problem[] = error.problems.length > 0 ? error.problems : [error];
		return {
			isMet: false,
			violations: problems.map(({ code, what, where, expected, remedy }) => ({
				code,
				what,
				where,
				expected,
				remedy,
				containerfile: CONTRACT_LINES[code],
			})),
			choices: [],
		};
	}
}

interface PartialContract {
	readonly osRelease: OsRelease;
	readonly label: string;
	readonly menu: Contract["grub2"];
	readonly kernel: KernelFiles | undefined;
	readonly boot: Awaited<ReturnType<typeof chooseEfi>>;
	readonly hasGrubModules: boolean;
}

async function findParts(tree: ImageTree, options: InspectOptions): Promise<PartialContract> {
	const ignored = new Findings();
	const osRelease = await readOsRelease(tree, ignored);
	const isoYaml = await readIsoYaml(tree, ignored);
	const label = chooseLabel(
		{ option: options.label, isoYaml: isoYaml?.label, isoYamlPosition: undefined, osRelease },
		ignored,
	);
	const kernelArgs = chooseKernelArgs(isoYaml, label, ignored);
	return {
		osRelease,
		label,
		menu: chooseMenu(isoYaml, label, kernelArgs, osRelease, ignored),
		kernel: chooseKernel(tree, options.kernel, ignored),
		boot: await chooseEfi(tree, options.vendor, osRelease, ignored),
		hasGrubModules: findGrubModules(tree, ignored) !== undefined,
	};
}
