import { displayName } from "../binary/byte-string.ts";
import type { BootLoader } from "../boot/boot-loader.ts";
import type { BranchFilter, CodecName } from "../codec/types.ts";
import { CONTRACT_VERSION, type Contract, type ContractOptions, type OsRelease } from "../contract/contract.ts";
import { architectureFault, type LoaderParts, readContractParts } from "../contract/read-contract.ts";
import type { BootPaths, Finding } from "../findings/finding.ts";
import type { RootFileSystem, RootFileSystemName } from "../rootfs/root-file-system.ts";
import { DEFAULT_ROOT_FILE_SYSTEM } from "../rootfs/root-file-systems.ts";
import type { SelinuxChoice } from "../selinux/choice.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import { LinuxReader } from "./boot-parts.ts";
import { bootPathsOf, checkBoot } from "./check-boot.ts";
import { checkTools, type FoundTool } from "./checks/tools.ts";
import { contractLines } from "./containerfile.ts";
import { describeEfiProgram, type InspectedEfiProgram } from "./efi-program.ts";

interface InspectOptions {
	/** Of the image, as OCI names it: `amd64`. */
	readonly architecture: string;
	readonly label?: string | undefined;
	readonly kernel?: string | undefined;
	readonly devicetree?: ContractOptions["devicetree"];
	readonly vendor?: string | undefined;
	readonly bootloader?: ContractOptions["bootloader"];
	/** Of the root file system that would be built; absent: squashfs. */
	readonly format?: RootFileSystem | undefined;
	/** Its compressor; absent: zstd. */
	readonly codec?: CodecName | undefined;
	/** Its branch filter; absent: the codec's usual one. */
	readonly bcj?: BranchFilter | undefined;
	/** Where SELinux labels would come from; absent: `auto`. */
	readonly selinux?: SelinuxChoice | undefined;
}

/** What an image is, whether it builds, and whether the ISO boots. */
export interface Inspection {
	readonly contract: {
		readonly version: string;
		readonly isMet: boolean;
		readonly violations: readonly Finding[];
		readonly choices: readonly Finding[];
	};
	readonly osRelease: OsRelease;
	/** Undefined, as the menu is, where iso.yaml does not say it in a way that can be used. */
	readonly label: string | undefined;
	readonly menu: Contract["grub2"] | undefined;
	readonly kernel: InspectedKernel | undefined;
	readonly initramfs: InspectedInitramfs | undefined;
	/** Of the ISO that would be built. */
	readonly rootFileSystem: RootFileSystemName;
	readonly efi: InspectedEfi | undefined;
	/** GRUB's directory for BIOS. */
	readonly grubModules: { readonly path: string; readonly files: number } | undefined;
	readonly tools: readonly FoundTool[];
	readonly findings: readonly Finding[];
	/** Whether each way of starting the ISO is expected to reach the image's init. */
	readonly bootPaths: BootPaths;
	/** It builds, and boots with BIOS and with UEFI. */
	readonly isBootable: boolean;
}

interface InspectedKernel {
	readonly version: string;
	readonly path: string;
	readonly release: string | undefined;
	readonly architecture: string | undefined;
}

interface InspectedInitramfs {
	readonly path: string;
	readonly byteLength: number;
	readonly segments: readonly { readonly compression: string; readonly entries: number }[];
	readonly modules: number;
}

interface InspectedEfi {
	readonly vendor: string;
	readonly bootLoader: BootLoader;
	readonly shim: InspectedEfiProgram;
	readonly mokManager: InspectedEfiProgram;
	readonly grub: InspectedEfiProgram;
}

/**
 * Checks an image's tree: what the contract finds, and what a boot would. Throws `Oci2isoError` only where the image cannot be read.
 * `loaders` are another image's boot loaders, whose files `tree` reads too.
 * What hostile content can cost is bounded: files and unpacked initramfs are limited, and nothing of the image is run.
 */
export async function inspectTree(
	tree: ImageTree,
	options: InspectOptions,
	loaders?: LoaderParts,
): Promise<Inspection> {
	const linux = new LinuxReader(tree);
	const found = await readContractParts(tree, { ...options, liveSupportOf: linux.liveSupportOf }, loaders);
	const violations = found.findings.list
		.filter(({ severity }) => severity === "blocker")
		.map((finding) => ({ ...finding, containerfile: contractLines(finding.code, found.machine) }));
	const isMet = violations.length === 0;
	const { format = DEFAULT_ROOT_FILE_SYSTEM, codec = "zstd", bcj, selinux = "auto" } = options;
	const isKnown = architectureFault(options.architecture) === undefined;
	const { parts, findings } = await checkBoot(tree, found, { format, codec, bcj, linux, selinux });
	const tools = await checkTools(found.loaders, findings);
	// What is for other machines would be said of it.
	const told = isKnown ? findings.list : [];
	const { kernel, initramfs } = parts;
	return {
		contract: { version: CONTRACT_VERSION, isMet, violations, choices: found.findings.choices },
		osRelease: found.osRelease,
		label: found.isMenuKnown ? found.label : undefined,
		menu: found.isMenuKnown ? found.grub2 : undefined,
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
		rootFileSystem: format.name,
		efi: found.boot &&
			parts.efi && {
				vendor: found.boot.vendor,
				bootLoader: found.bootLoader,
				shim: describeEfiProgram(parts.efi.shim),
				mokManager: describeEfiProgram(parts.efi.mokManager),
				grub: describeEfiProgram(parts.efi.secondStage),
			},
		grubModules: found.grubModules && {
			path: displayName(found.grubModules.path),
			files: found.grubModules.files.length,
		},
		tools,
		findings: told,
		bootPaths: bootPathsOf(told, isMet, found),
		isBootable: isMet && !told.some(({ severity }) => severity === "blocker"),
	};
}
