import { byteStringFromText } from "../binary/byte-string.ts";
import { MiB } from "../binary/units.ts";
import { MAX_ESP_BYTES } from "../boot/boot-file-limits.ts";
import { biosOf } from "../boot/boot-loader.ts";
import { startsWithLiveBoot } from "../boot/live-root/live-support.ts";
import { MACHINES, machineOfImage } from "../boot/machines.ts";
import { assert, Oci2isoError, type Problem } from "../errors.ts";
import { Findings } from "../findings/findings.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import {
	CONTRACT_VERSION,
	type Contract,
	type ContractOptions,
	type FoundFile,
	type KernelFiles,
	type OsRelease,
} from "./contract.ts";
import { chooseDeviceTrees } from "./device-trees.ts";
import { chooseBootLoader } from "./efi.ts";
import { readGrubAdditions } from "./grub-additions.ts";
import { chooseUnicodeFont, findGrubModules } from "./grub-files.ts";
import { readIsoYaml } from "./iso-yaml.ts";
import { chooseKernels, MODULE_DIRECTORIES } from "./kernel.ts";
import { chooseLabel } from "./label.ts";
import { chooseKernelArgs, chooseMenu, withSubmenus } from "./menu.ts";
import { readOsRelease } from "./os-release.ts";
import { chooseUnifiedKernels, findUnifiedKernels } from "./unified-kernels.ts";

/** Left for boot loaders on the EFI system partition. */
const LOADERS_BYTES = 16 * MiB;

/** What an image has of the contract, part by part; undefined is what it has not. */
export interface ContractParts
	extends Pick<
			Contract,
			| "machine"
			| "osRelease"
			| "label"
			| "kernelArgs"
			| "hasLiveBoot"
			| "furtherKernels"
			| "deviceTrees"
			| "unifiedKernels"
			| "grubAdditions"
			| "grub2"
			| "loaders"
		>,
		Omit<LoaderParts, "tree"> {
	readonly kernel: Contract["kernel"] | undefined;
	/** The image says what label and menu are, or leaves them to the defaults; otherwise they stand in for what cannot be read. */
	readonly isMenuKnown: boolean;
}

/** Of these the parts that boot what the rest is. */
export interface LoaderParts {
	readonly tree: ImageTree;
	readonly bootLoader: Contract["bootLoader"];
	readonly boot: Pick<Contract, "vendor" | "efi" | "shimNames"> | undefined;
	readonly unicodeFont: Contract["unicodeFont"] | undefined;
	readonly grubModules: Contract["grubModules"] | undefined;
	/** Problems and choices. */
	readonly findings: Findings;
}

/** Reads boot loaders, fonts and modules out of an image, and adds to `findings`. */
export async function readLoaders(
	tree: ImageTree,
	options: Pick<ContractOptions, "architecture" | "vendor" | "bootloader">,
	osRelease: OsRelease,
	findings: Findings,
): Promise<LoaderParts> {
	const machine = machineOfImage(options.architecture) ?? MACHINES[0];
	const { bootLoader, boot } = await chooseBootLoader(tree, options, osRelease, findings);
	const bios = biosOf(machine, bootLoader);
	return {
		tree,
		bootLoader,
		boot,
		unicodeFont: bootLoader === "grub2" ? chooseUnicodeFont(tree, findings) : undefined,
		grubModules: bios && findGrubModules(tree, bios, findings),
		findings,
	};
}

/**
 * Reads the Container-native ISO contract v0.1.0 out of an image, each part for itself, so that what is missing of one does not hide the others. `given` are the
 * boot loaders of another image, whose files `tree` reads too.
 */
export async function readContractParts(
	tree: ImageTree,
	options: ContractOptions,
	given?: LoaderParts,
): Promise<ContractParts> {
	const findings = new Findings();
	const fault = architectureFault(options.architecture);
	if (fault !== undefined) findings.problem(fault);
	const machine = machineOfImage(options.architecture) ?? MACHINES[0];
	const osRelease = await readOsRelease(tree, findings);
	// The menu depends on the kernel, and is spoken of before it.
	const ofKernel = new Findings();
	const unified = await findUnifiedKernels(tree, machine, MODULE_DIRECTORIES, ofKernel);
	const [kernel, ...furtherKernels] = (await chooseKernels(tree, options.kernel, unified, ofKernel)) ?? [];
	const unifiedKernels = chooseUnifiedKernels(unified, ofKernel);
	const support = kernel && (await options.liveSupportOf?.(kernel));
	const before = findings.problems.length;
	const isoYaml = await readIsoYaml(tree, findings);
	const label = chooseLabel(
		{
			option: options.label,
			isoYaml: isoYaml?.label,
			isoYamlPosition: isoYaml?.positionOf(["label"]),
			osRelease,
			machineName: machine.name,
		},
		findings,
	);
	const kernelArgs = chooseKernelArgs(isoYaml, label, support !== undefined && startsWithLiveBoot(support), findings);
	const ofFirst = chooseMenu(isoYaml, label, kernelArgs, osRelease, findings);
	const deviceTrees = await chooseDeviceTrees(tree, kernel, options.devicetree?.map(byteStringFromText), ofKernel);
	const grub2 = withSubmenus(ofFirst, furtherKernels, deviceTrees);
	const isMenuKnown = findings.problems.length === before;
	for (const finding of ofKernel.list) findings.add(finding);
	// Of what nobody makes media for, other machines' boot loaders are not missing.
	const ofOther = new Findings();
	const read = await (given ?? readLoaders(tree, options, osRelease, fault === undefined ? findings : ofOther));
	const { tree: loaders, ...parts } = read;
	for (const finding of given?.findings.list ?? []) findings.add(finding);
	const grubAdditions = parts.bootLoader === "grub2" ? await readGrubAdditions(tree, findings) : undefined;
	if (parts.bootLoader === "systemd-boot" && kernel !== undefined)
		requireRoom([kernel, ...furtherKernels], [...deviceTrees, ...unifiedKernels], findings);
	const hasLiveBoot = support?.liveBoot === true;
	const said = { machine, osRelease, label, kernelArgs, hasLiveBoot, grub2, isMenuKnown };
	return { ...said, kernel, furtherKernels, deviceTrees, unifiedKernels, grubAdditions, ...parts, loaders, findings };
}

/** What systemd-boot starts is on the EFI system partition, beside the boot loaders. */
function requireRoom(
	kernels: readonly KernelFiles[],
	others: readonly { readonly file: FoundFile }[],
	findings: Findings,
): void {
	const files = [
		...kernels.flatMap(({ vmlinuz, initramfs }) => [vmlinuz, initramfs]),
		...others.map(({ file }) => file),
	];
	const byteLength = files.reduce((sum, { inode }) => sum + inode.byteLength, 0);
	if (byteLength > MAX_ESP_BYTES - LOADERS_BYTES)
		findings.problem({
			code: "EFI_IMAGE_TOO_LARGE",
			what: `kernels and initramfs have ${byteLength} bytes together`,
			where: "EFI system partition",
			expected: `at most ${MAX_ESP_BYTES - LOADERS_BYTES} bytes, for systemd-boot reads them there`,
			remedy: "pass --bootloader grub2 where the image has GRUB, or make the initramfs smaller",
		});
}

/** The contract of an image that meets it. Throws `Oci2isoError` CONTRACT_NOT_MET (exit 3) with every violation in `problems`. */
export async function readContract(tree: ImageTree, options: ContractOptions, given?: LoaderParts): Promise<Contract> {
	return contractOf(await readContractParts(tree, options, given));
}

/** Throws as `readContract`. */
export function contractOf({ findings, isMenuKnown: _, boot, ...parts }: ContractParts): Contract {
	requireMet(findings.problems);
	const { kernel, bootLoader, unicodeFont, grubModules } = parts;
	assert(kernel && boot, "a part is missing without a problem");
	assert(unicodeFont || bootLoader !== "grub2", "GRUB's font is missing without a problem");
	assert(
		grubModules || biosOf(parts.machine, bootLoader) === undefined,
		"GRUB's modules are missing without a problem",
	);
	return {
		version: CONTRACT_VERSION,
		...parts,
		kernel,
		...boot,
		unicodeFont,
		grubModules,
		choices: findings.choices,
	};
}

/** Throws CONTRACT_NOT_MET (exit 3) with all problems, if there are any. */
export function requireMet(problems: readonly Problem[]): void {
	if (problems.length > 0) throw notMet(problems);
}

/** CONTRACT_NOT_MET (exit 3) with these problems, at least one. */
export function notMet(problems: readonly Problem[]): Oci2isoError {
	const count = problems.length;
	return new Oci2isoError({
		code: "CONTRACT_NOT_MET",
		kind: "contract",
		what: `the image does not meet the Container-native ISO contract v0.1.0 in ${count} ${count === 1 ? "point" : "points"}`,
		problems,
	});
}

/** Why an image for this architecture cannot be converted; undefined where it can. */
export function architectureFault(architecture: string): Problem | undefined {
	if (machineOfImage(architecture) !== undefined) return undefined;
	const known = MACHINES.map(({ ociArchitecture, name }) => `${ociArchitecture} (${name})`);
	return {
		code: "ARCHITECTURE_UNSUPPORTED",
		what: `the image is for ${JSON.stringify(architecture)}`,
		where: "image configuration",
		expected: `one that media are made for: ${known.join(", ")}`,
		remedy: "pass --platform where the image is there for such a one too",
	};
}
