import type { ByteString } from "../binary/byte-string.ts";
import type { BootLoader } from "../boot/boot-loader.ts";
import type { LiveSupport } from "../boot/live-root/live-support.ts";
import type { Machine } from "../boot/machines.ts";
import type { ShimNames } from "../boot/shim-names.ts";
import type { Finding } from "../findings/finding.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { DirectoryInode, FileInode } from "../tree/inode.ts";

/** The version of the Container-native ISO contract that this room reads. */
export const CONTRACT_VERSION = "0.1.0";

/** A regular file of the image. */
export interface FoundFile {
	/** Absolute and canonical, symbolic links resolved; of a section of a program with its name behind a colon. */
	readonly path: ByteString;
	readonly inode: FileInode;
}

/** What the contract asks of an image, found in it. */
export interface Contract {
	readonly version: typeof CONTRACT_VERSION;
	readonly machine: Machine;
	/** Volume identifier: 1 to 32 bytes of UTF-8, no control characters. */
	readonly label: string;
	readonly osRelease: OsRelease;
	readonly kernel: KernelFiles;
	/** Others that were asked for, each with entries of its own. */
	readonly furtherKernels: readonly KernelFiles[];
	/** Those that were asked for, each with entries of its own. */
	readonly deviceTrees: readonly DeviceTree[];
	/** Kernels that are EFI programs with all that they start, each with an entry of its own. */
	readonly unifiedKernels: readonly UnifiedKernelFile[];
	/** Name of the EFI directory the boot loaders come from, such as `fedora`. Informative: the ISO uses `EFI/BOOT` only. */
	readonly vendor: string;
	readonly efi: EfiFiles;
	/** What its shim calls the others, where that is not what the contract does. */
	readonly shimNames: ShimNames;
	/** Who shows the menu; the contract knows GRUB only. */
	readonly bootLoader: BootLoader;
	/** GRUB's font, `unicode.pf2`. */
	readonly unicodeFont: FoundFile | undefined;
	/** Undefined for machines without a BIOS, and where GRUB is not the boot loader. */
	readonly grubModules: GrubModules | undefined;
	/** What the image adds to GRUB's menus; undefined where it adds nothing, or where GRUB is not the boot loader. */
	readonly grubAdditions: GrubAdditions | undefined;
	/** Where vendor, `efi`, font and modules were found, and tools are: the image's tree, or that of the image which boot loaders come from. */
	readonly loaders: ImageTree;
	/** What the built-in entry and `${root}` pass to the kernel, in order; a label inside is escaped for GRUB's command line. */
	readonly kernelArgs: readonly string[];
	/** The initramfs has live-boot, which looks for the root file system under a name of its own. */
	readonly hasLiveBoot: boolean;
	readonly grub2: Grub2Menu;
	/** Every choice that the contract leaves open or that had to deviate from it, for the build report. */
	readonly choices: readonly Finding[];
}

export interface KernelFiles {
	/** Name of the directory in `/usr/lib/modules`. */
	readonly version: ByteString;
	readonly vmlinuz: FoundFile;
	readonly initramfs: FoundFile;
}

/** A unified kernel image. */
export interface UnifiedKernelFile {
	/** On the medium, plain ASCII. */
	readonly name: string;
	readonly file: FoundFile;
	/** For people, in one line. */
	readonly title: string;
	/** In one line. */
	readonly commandLine: string;
	/** As `uname -r`; undefined where it does not say. */
	readonly release: ByteString | undefined;
	/** The kernel in it. */
	readonly linux: FoundFile;
	/** The initramfs in it. */
	readonly initrd: FoundFile | undefined;
}

/** What tells a kernel which hardware a machine has, where its firmware does not. */
export interface DeviceTree {
	/** Path below the kernel's directory of them: `qcom/NAME.dtb`. */
	readonly name: ByteString;
	readonly file: FoundFile;
}

export interface EfiFiles {
	readonly shim: FoundFile;
	readonly mokManager: FoundFile;
	/** What shim starts: the variant of GRUB for media, which reads `grub.cfg` from its own directory, or systemd-boot. */
	readonly secondStage: FoundFile;
}

/** GRUB's directory for BIOS. */
export interface GrubModules {
	/** Absolute and canonical. */
	readonly path: ByteString;
	readonly directory: DirectoryInode;
	/** The MBR boot code, 512 bytes. */
	readonly bootHybrid: FoundFile;
	/** Every file below the directory, symbolic links replaced by what they lead to, in byte order of `relativePath`. */
	readonly files: readonly GrubModuleFile[];
}

/** What is not of the contract: text, fonts and a theme for the menus. */
export interface GrubAdditions {
	/** A GRUB script, run before the entries; ends with a line break. */
	readonly script: string;
	/** Fonts and the theme's files, by their paths in the image's directory of additions. */
	readonly files: readonly GrubModuleFile[];
	/** A theme is among them: `theme/theme.txt`. */
	readonly hasTheme: boolean;
}

export interface GrubModuleFile {
	/** Below the directory, components separated by `/`. */
	readonly relativePath: ByteString;
	readonly file: FoundFile;
}

/** Values of os-release(5) that matter here; a missing or empty one is undefined. */
export interface OsRelease {
	readonly id: string | undefined;
	/** Of distributions that it is made from, the closest first; empty where it does not say. */
	readonly idLike: readonly string[];
	readonly name: string | undefined;
	readonly versionId: string | undefined;
	/** Of distributions without versions. */
	readonly buildId?: string | undefined;
}

export interface Grub2Menu {
	/** 0 boots the default entry at once. */
	readonly timeoutSeconds: number;
	/** Index from 0 of the entry started by default; undefined where none is set, which is the first. Never 0. */
	readonly defaultEntry: number | undefined;
	/** At least one. */
	readonly entries: readonly MenuEntry[];
	/** The image gives no entries: the one there is comes from the converter. */
	readonly isBuiltIn: boolean;
	/** Of further kernels and of device trees, behind the entries; absent where there are none. */
	readonly submenus?: readonly Submenu[] | undefined;
}

export interface Submenu {
	readonly title: string;
	/** Of a further kernel, its directory. */
	readonly kernelVersion?: ByteString | undefined;
	readonly entries: readonly MenuEntry[];
}

/** Texts after variable substitution, without control characters other than tab. */
export interface MenuEntry {
	/** The title, any characters. */
	readonly name: string;
	/** Kernel path and arguments as words of a GRUB command. */
	readonly linux: string;
	/** Initrd paths as words of a GRUB command. */
	readonly initrd: string;
	/** Path of the device tree that it has. */
	readonly devicetree?: string | undefined;
}

export interface ContractOptions {
	/** Of the image, as OCI names it: `amd64`. */
	readonly architecture: string;
	/** Replaces the label of iso.yaml or the default one. */
	readonly label?: string | undefined;
	/** The directory in `/usr/lib/modules` to take, several separated by commas, or `all`. */
	readonly kernel?: string | undefined;
	/** Device trees to offer. */
	readonly devicetree?: readonly string[] | undefined;
	/** The EFI directory to take. */
	readonly vendor?: string | undefined;
	/** What the initramfs finds its root with, undefined where that is not known; absent: what the contract has, dracut's dmsquash-live. */
	readonly liveSupportOf?: ((kernel: KernelFiles) => Promise<LiveSupport | undefined>) | undefined;
	/** `auto`: GRUB, or systemd-boot where the image has that one only. Default: `auto`. */
	readonly bootloader?: BootLoader | "auto" | undefined;
}
