import { displayName } from "../binary/byte-string.ts";
import type { CodecName } from "../codec/types.ts";
import { type Choice, CONTRACT_VERSION, type Contract, type OsRelease } from "../contract/contract.ts";
import { readContract } from "../contract/read-contract.ts";
import { Oci2isoError, type Problem } from "../errors.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import { bootPathsOf, checkBoot, findParts } from "./check-boot.ts";
import { checkTools, type FoundTool } from "./checks/tools.ts";
import { CONTRACT_LINES } from "./containerfile.ts";
import { describeEfiProgram, type InspectedEfiProgram } from "./efi-program.ts";
import type { BootPaths, ContainerfileLines, Finding } from "./finding.ts";

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
	/** Undefined, as the menu is, where iso.yaml does not say it in a way that can be used. */
	readonly label: string | undefined;
	readonly menu: Contract["grub2"] | undefined;
	readonly kernel: InspectedKernel | undefined;
	readonly initramfs: InspectedInitramfs | undefined;
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
	readonly shim: InspectedEfiProgram;
	readonly mokManager: InspectedEfiProgram;
	readonly grub: InspectedEfiProgram;
}

/**
 * Checks an image's tree: what the contract finds, and what a boot would. Throws `Oci2isoError` only where the image cannot be read.
 * What hostile content can cost is bounded: files and unpacked initramfs are limited, and nothing of the image is run.
 */
export async function inspectTree(tree: ImageTree, options: InspectOptions): Promise<Inspection> {
	const violations = await violationsOf(tree, options);
	const isMet = violations.length === 0;
	// The same parts once more, each for itself: a violation in one does not hide the others.
	const found = await findParts(tree, options);
	const { parts, findings } = await checkBoot(tree, found, options.codec ?? "zstd");
	const tools = await checkTools(tree, findings);
	const { kernel, initramfs } = parts;
	return {
		contract: { version: CONTRACT_VERSION, isMet, violations, choices: found.choices },
		osRelease: found.osRelease,
		label: found.isMenuKnown ? found.label : undefined,
		menu: found.isMenuKnown ? found.menu : undefined,
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
		efi: found.boot &&
			parts.efi && {
				vendor: found.boot.vendor,
				shim: describeEfiProgram(parts.efi.shim),
				mokManager: describeEfiProgram(parts.efi.mokManager),
				grub: describeEfiProgram(parts.efi.grub),
			},
		grubModules: found.grubModules && {
			path: displayName(found.grubModules.path),
			files: found.grubModules.files.length,
		},
		tools,
		findings: findings.all,
		bootPaths: bootPathsOf(findings.all, isMet),
		isBootable: isMet && !findings.all.some(({ severity }) => severity === "blocker"),
	};
}

async function violationsOf(tree: ImageTree, options: InspectOptions): Promise<readonly Violation[]> {
	try {
		await readContract(tree, options);
		return [];
	} catch (error) {
		if (!(error instanceof Oci2isoError) || error.kind !== "contract") throw error;
		const problems: readonly Problem[] = error.problems.length > 0 ? error.problems : [error];
		return problems.map(({ code, what, where, expected, remedy }) => ({
			code,
			what,
			where,
			expected,
			remedy,
			containerfile: CONTRACT_LINES[code],
		}));
	}
}
