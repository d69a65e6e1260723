import { byteStringFromText, displayName, utf8TextOf } from "../binary/byte-string.ts";
import { biosOf } from "../boot/boot-loader.ts";
import { grubWord, grubWords } from "../boot/grub/menu-words.ts";
import { alsoPaths, furtherKernelPaths, unifiedKernelPath } from "../boot/iso-paths.ts";
import { InitramfsArguments } from "../boot/live-root/argument-lookup.ts";
import { grubCommandLine } from "../boot/live-root/kernel-command-line.ts";
import { optionWords } from "../boot/systemd-boot/read-entries.ts";
import { type BranchFilter, branchFilterOf, type CodecName } from "../codec/types.ts";
import type { AlsoSystem } from "../contract/also.ts";
import type { Contract, KernelFiles } from "../contract/contract.ts";
import { isoYamlPathIn } from "../contract/iso-yaml.ts";
import type { ContractParts } from "../contract/read-contract.ts";
import type { BootPath, BootPaths, Finding } from "../findings/finding.ts";
import type { Findings } from "../findings/findings.ts";
import type { RootFileSystem } from "../rootfs/root-file-system.ts";
import type { SelinuxChoice } from "../selinux/choice.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import { type BootParts, type LinuxReader, readEfiParts, readKernelConfig } from "./boot-parts.ts";
import { checkLeftovers } from "./checks/container-leftovers.ts";
import { checkDrivers } from "./checks/drivers.ts";
import { checkGrubAdditions } from "./checks/grub-additions.ts";
import { checkGrubBios } from "./checks/grub-bios.ts";
import { checkChainloader, checkGrubEfi } from "./checks/grub-efi.ts";
import { checkKernel, checkUnpacking } from "./checks/kernel.ts";
import { checkLiveSupport } from "./checks/live-system.ts";
import { checkMenu, defaultEntryOf } from "./checks/menu.ts";
import { checkFurtherKernel, checkUefi } from "./checks/secure-boot.ts";
import { checkSystem } from "./checks/system.ts";
import { checkSystemdBoot } from "./checks/systemd-boot.ts";
import { MenuFindings } from "./menu-findings.ts";
import { fixedIsoYaml } from "./menu-fix.ts";

interface CheckedBuild {
	/** Of the root file system. */
	readonly format: RootFileSystem;
	readonly codec: CodecName;
	/** Its branch filter as it was asked for. */
	readonly bcj?: BranchFilter | undefined;
	/** Who has read kernels of the tree. */
	readonly linux: LinuxReader;
	/** As in `BootParts`; absent: the tree is as it will be. */
	readonly selinux?: SelinuxChoice;
}

/** What the parts are, and everything that a boot of the ISO would come upon. */
export async function checkBoot(
	tree: ImageTree,
	found: Omit<ContractParts, "findings">,
	{ format, codec, bcj, linux, selinux = "image" }: CheckedBuild,
): Promise<{ readonly parts: BootParts; readonly findings: MenuFindings }> {
	const { kernel, initramfs } = (found.kernel && (await linux.read(found.kernel))) ?? {};
	const parts: BootParts = {
		tree,
		loaders: found.loaders,
		machine: found.machine,
		bootLoader: found.bootLoader,
		osRelease: found.osRelease,
		label: found.label,
		menu: found.grub2,
		hasLiveBoot: found.hasLiveBoot,
		format,
		codec,
		filter: branchFilterOf(codec, bcj),
		kernel,
		initramfs,
		config: initramfs && (await readKernelConfig(tree, initramfs.release)),
		efi: found.boot && (await readEfiParts(tree, found.boot.efi)),
		grubDirectory: found.grubModules?.path,
		isoYamlPath: isoYamlPathIn(tree),
		volumeUuid: undefined,
		selinux,
	};
	const findings = new MenuFindings();
	const entry = defaultEntryOf(parts)?.linux ?? "";
	await checkLinux(parts, entry, findings);
	if (found.isMenuKnown) checkMenu(parts, findings);
	await checkSystem(parts, new InitramfsArguments([grubCommandLine(grubWords(entry)).text]), findings);
	const { machine, bootLoader, label, osRelease, grub2, hasLiveBoot } = found;
	const planned = {
		label,
		osRelease,
		grub2,
		machine,
		hasLiveBoot,
		bootLoader,
		efi: found.boot?.efi,
		shimNames: found.boot?.shimNames,
		kernel: found.kernel,
		furtherKernels: found.furtherKernels,
		deviceTrees: found.deviceTrees,
		unifiedKernels: found.unifiedKernels,
		grubAdditions: found.grubAdditions,
		grubModules: found.grubModules,
	} as const;
	await checkGrubBios(parts, planned, findings);
	checkUefi(parts, findings);
	if (bootLoader === "grub2") await checkGrubEfi(parts, planned, findings);
	else checkSystemdBoot(parts, found.unifiedKernels, findings);
	if (found.grubAdditions !== undefined) await checkGrubAdditions(parts, found.grubAdditions, findings);
	for (const files of found.furtherKernels) {
		const further = await linux.read(files);
		const entries = found.grub2.submenus?.find((each) => each.kernelVersion === files.version)?.entries ?? [];
		const own = { ...parts, ...further, config: await readKernelConfig(tree, further.initramfs.release) };
		await checkFurther({ ...own, menu: { ...found.grub2, entries } }, files, findings);
	}
	await checkUnifiedKernels(parts, found.unifiedKernels, linux, findings);
	await checkLeftovers(parts, findings);
	findings.fixMenu((fixes) => fixedIsoYaml(parts, fixes));
	return { parts, findings };
}

/** A kernel, and its initramfs as the entry that starts by itself uses it. */
async function checkLinux(parts: BootParts, entry: string, findings: MenuFindings): Promise<void> {
	checkKernel(parts, findings);
	if (!checkUnpacking(parts, findings)) return;
	checkLiveSupport(parts, entry, findings);
	await checkDrivers(parts, findings);
}

/** A kernel beside the first one: what is wrong with it ends none but its own entries. */
async function checkFurther(parts: BootParts, { version }: KernelFiles, findings: Findings): Promise<void> {
	const own = new MenuFindings();
	await checkLinux(parts, defaultEntryOf(parts)?.linux ?? "", own);
	if (parts.kernel !== undefined) checkFurtherKernel(parts, parts.kernel, "kernel", own);
	const { kernel, initramfs } = furtherKernelPaths(version);
	checkMenu(parts, own, { kernel: `/${kernel}`, initrd: `/${initramfs}` });
	addOfOthers(own.list, `kernel ${displayName(version)}`, findings);
}

/** A system beside the first one, and who has read kernels of its tree. */
export interface CheckedAlso extends AlsoSystem {
	readonly stage: { readonly tree: ImageTree };
	readonly linux: LinuxReader;
}

/** Another system, started by the boot loaders of the first, whose parts `first` are: what would keep it from booting is in the way of the whole. */
export async function checkAlso(
	first: BootParts,
	{ name, contract, submenu, stage: { tree }, linux }: CheckedAlso,
	findings: MenuFindings,
): Promise<void> {
	const own = new MenuFindings();
	const { root, kernel, initramfs } = alsoPaths(name);
	const read = await linux.read(contract.kernel);
	const parts: BootParts = {
		...first,
		...read,
		tree,
		osRelease: contract.osRelease,
		config: await readKernelConfig(tree, read.initramfs.release),
		isoYamlPath: isoYamlPathIn(tree),
		menu: { ...contract.grub2, defaultEntry: undefined, submenus: undefined, entries: submenu.entries },
		hasLiveBoot: false,
		rootPath: root,
	};
	const entry = defaultEntryOf(parts)?.linux ?? "";
	await checkLinux(parts, entry, own);
	checkFurtherKernel(parts, read.kernel, "kernel", own);
	checkMenu(parts, own, { kernel: `/${kernel}`, initrd: `/${initramfs}` });
	await checkSystem(parts, new InitramfsArguments([grubCommandLine(grubWords(entry)).text]), own);
	for (const finding of own.list) findings.add({ ...finding, what: `system ${name}: ${finding.what}` });
}

/** What is wrong with one of several ends none but its own entries. */
function addOfOthers(own: readonly Finding[], whose: string, findings: Findings): void {
	for (const finding of own) {
		const severity = finding.severity === "blocker" ? "warning" : finding.severity;
		findings.add({ ...finding, severity, blocks: [], what: `${whose}: ${finding.what}` });
	}
}

/** Their kernels and initramfs as others, the whole's signature, and what the command lines lead to that are part of them. */
async function checkUnifiedKernels(
	parts: BootParts,
	unified: Contract["unifiedKernels"],
	linux: LinuxReader,
	findings: Findings,
): Promise<void> {
	if (unified.length > 0 && parts.bootLoader === "grub2") checkChainloader(parts, findings);
	for (const { name, file, title, commandLine, release, linux: vmlinuz, initrd: initramfs } of unified) {
		const own = new MenuFindings();
		const ofMenu = new MenuFindings();
		checkFurtherKernel(parts, await linux.readProgram(file), "unifiedKernel", own);
		if (initramfs === undefined)
			own.warn("UNIFIED_KERNEL_NO_INITRAMFS", "it has no initramfs (.initrd): it does not come to a live root");
		else {
			const version = release ?? parts.kernel?.version ?? "";
			const inside = await linux.read({ version, vmlinuz, initramfs });
			const config = await readKernelConfig(parts.tree, inside.initramfs.release);
			const kernel = `/${unifiedKernelPath(name)}`;
			const words = [kernel, ...optionWords(byteStringFromText(commandLine)).map((word) => utf8TextOf(word) ?? word)];
			const entry = { name: title, linux: words.map(grubWord).join(" "), initrd: kernel };
			const started = {
				...parts,
				...inside,
				config,
				menu: { ...parts.menu, defaultEntry: undefined, entries: [entry] },
			};
			// Its parts may be what the menu starts anyway.
			if (parts.kernel?.file.path !== vmlinuz.path || parts.initramfs?.file.path !== initramfs.path)
				await checkLinux(started, entry.linux, own);
			checkMenu(started, ofMenu, { kernel, initrd: kernel });
		}
		const remedy = `its command line is part of it: make it anew with one for this medium, or pass --label`;
		// What starts an ISO from a file cannot tell it where that lies.
		const ownList = own.list.filter(({ code }) => code !== "LOOP_BOOT");
		const told = [...ownList, ...ofMenu.list.map((each) => (each.severity === "ok" ? each : { ...each, remedy }))];
		addOfOthers(told, `unified kernel image ${name}`, findings);
	}
}

export function bootPathsOf(
	findings: readonly Finding[],
	isContractMet: boolean,
	{ machine, bootLoader }: Pick<Contract, "machine" | "bootLoader">,
): BootPaths {
	const willNot = (path: BootPath): boolean => !isContractMet || findings.some(({ blocks }) => blocks.includes(path));
	const verdict = (path: BootPath) => (willNot(path) ? "will not boot" : "expected to boot");
	return {
		...(biosOf(machine, bootLoader) === undefined ? {} : { bios: verdict("bios") }),
		uefi: verdict("uefi"),
		"secure-boot": verdict("secure-boot"),
	};
}
