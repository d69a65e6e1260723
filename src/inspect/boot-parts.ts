import { type ByteString, byteStringFromText, displayName } from "../binary/byte-string.ts";
import { MiB } from "../binary/units.ts";
import { MAX_EFI_BYTES, MAX_INITRAMFS_BYTES } from "../boot/boot-file-limits.ts";
import type { BootLoader } from "../boot/boot-loader.ts";
import { type Initramfs, readInitramfs } from "../boot/initramfs/initramfs.ts";
import { initramfsSupport } from "../boot/initramfs/live-support.ts";
import { streamedFile } from "../boot/initramfs/streamed-file.ts";
import { readKernel } from "../boot/linux/kernel.ts";
import type { KernelImage } from "../boot/linux/kernel-image.ts";
import { KernelModules } from "../boot/linux/kernel-modules.ts";
import type { LiveSupport } from "../boot/live-root/live-support.ts";
import type { Machine } from "../boot/machines.ts";
import type { CodecName } from "../codec/types.ts";
import type { EfiFiles, FoundFile, Grub2Menu, KernelFiles, OsRelease } from "../contract/contract.ts";
import { decodePe, type PeImage } from "../formats/pe/pe-image.ts";
import type { SignedProgram } from "../formats/pe/signed-program.ts";
import type { RootFileSystem } from "../rootfs/root-file-system.ts";
import type { SelinuxChoice } from "../selinux/choice.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import { lookupQuietly } from "../tree/lookup-quietly.ts";
import { walk } from "../tree/walk.ts";

/** Everything the checks look at; a part is undefined where the image does not have it, which the contract report says. */
export interface BootParts {
	readonly tree: ImageTree;
	/** Where boot loaders are looked up: see `Contract`. */
	readonly loaders: ImageTree;
	readonly machine: Machine;
	readonly bootLoader: BootLoader;
	readonly osRelease: OsRelease;
	readonly label: string;
	readonly menu: Grub2Menu;
	/** Where the ISO has the root file system, without leading slash; absent: where dracut looks for it by itself. */
	readonly rootPath?: ByteString | undefined;
	/** The ISO has the root file system's name for live-boot too. */
	readonly hasLiveBoot: boolean;
	/** Of the root file system that would be built. */
	readonly format: RootFileSystem;
	readonly codec: CodecName;
	/** The branch filter that its blocks may have gone through. */
	readonly filter: "x86" | "arm64" | undefined;
	readonly kernel: KernelPart | undefined;
	readonly initramfs: InitramfsPart | undefined;
	/** Undefined where the image has none. */
	readonly config: KernelConfig | undefined;
	readonly efi: Readonly<Record<keyof EfiFiles, EfiPart>> | undefined;
	/** GRUB's directory for BIOS, where it holds what it needs to begin with (the contract's files). */
	readonly grubDirectory: ByteString | undefined;
	/** The iso.yaml in use; undefined where there is none. */
	readonly isoYamlPath: string | undefined;
	/** As blkid would make it of the ISO's date; undefined where that is not known yet. */
	readonly volumeUuid: string | undefined;
	/** Where SELinux labels are still to come from; `image`: files have those that they will have. */
	readonly selinux: SelinuxChoice;
}

export interface KernelPart {
	readonly file: FoundFile;
	/** Directory in /usr/lib/modules. */
	readonly version: string;
	readonly image: KernelImage;
	readonly pe: SignedProgram | string;
	/** Why what is packed does not unpack, in words. */
	readonly damage?: string | undefined;
}

export interface InitramfsPart {
	readonly file: FoundFile;
	readonly content: Initramfs;
	/** The release of the kernel that looks for modules, as `uname -r`. */
	readonly release: string;
	/** Drivers of that kernel: built in, or in the initramfs. */
	readonly drivers: KernelModules;
	/** Directories in its lib/modules. */
	readonly releases: readonly string[];
	/** What it finds its root with; undefined where it cannot be looked into. */
	readonly support: LiveSupport | undefined;
}

/** A kernel with its initramfs. */
export interface LinuxParts {
	readonly kernel: KernelPart;
	readonly initramfs: InitramfsPart;
}

export interface EfiPart {
	readonly file: FoundFile;
	readonly pe: PeImage | string;
}

/** A kernel's `.config`. */
export interface KernelConfig {
	/** The value of `CONFIG_...`, `n` where it says that it is not set, undefined where it says nothing. */
	get(name: string): string | undefined;
}

const MAX_KERNEL_BYTES = 512 * MiB;
const MAX_TEXT_BYTES = 16 * MiB;

/** Kernels of an image with what they start, each read once however often it is asked for. */
export class LinuxReader {
	readonly #tree: ImageTree;
	readonly #read = new Map<ByteString, Promise<LinuxParts>>();

	constructor(tree: ImageTree) {
		this.#tree = tree;
	}

	read(files: KernelFiles): Promise<LinuxParts> {
		const name = [files.version, files.vmlinuz.path, files.initramfs.path].join("\0");
		const read = this.#read.get(name) ?? this.#parts(files);
		this.#read.set(name, read);
		return read;
	}

	/** A program that carries a kernel. */
	async readProgram(file: FoundFile): Promise<Pick<KernelPart, "file" | "pe">> {
		const streamed = await streamedFile(this.#tree, file.inode, MAX_KERNEL_BYTES);
		return { file, pe: (await readKernel(streamed, () => this.#tree.read(file.inode, MAX_KERNEL_BYTES))).pe };
	}

	/** As contracts ask. */
	readonly liveSupportOf = async (files: KernelFiles): Promise<LiveSupport | undefined> =>
		(await this.read(files)).initramfs.support;

	async #parts(files: KernelFiles): Promise<LinuxParts> {
		const kernel = await readKernelPart(this.#tree, files);
		const release = kernel.image.release ?? kernel.version;
		return { kernel, initramfs: await readInitramfsPart(this.#tree, files.initramfs, release) };
	}
}

async function readKernelPart(tree: ImageTree, files: KernelFiles): Promise<KernelPart> {
	const file = files.vmlinuz;
	const streamed = await streamedFile(tree, file.inode, MAX_KERNEL_BYTES);
	const kernel = await readKernel(streamed, () => tree.read(file.inode, MAX_KERNEL_BYTES));
	return { file, version: displayName(files.version), ...kernel };
}

/** Unpacks the initramfs; drivers are those of the kernel `release`. */
async function readInitramfsPart(tree: ImageTree, file: FoundFile, release: string): Promise<InitramfsPart> {
	const content = await readInitramfs(await streamedFile(tree, file.inode, MAX_INITRAMFS_BYTES));
	const name = byteStringFromText(release);
	const modules = content.lookup(`/lib/modules/${name}`);
	const builtInOfImage = await readText(tree, [`/usr/lib/modules/${name}/modules.builtin`]);
	const text = (path: string): string | undefined =>
		content.content(`/lib/modules/${name}/${path}`)?.toString("latin1");
	const all = content.lookup("/lib/modules");
	return {
		file,
		content,
		release,
		support: initramfsSupport(content),
		releases: all?.inode.type === "directory" ? [...all.inode.entries.keys()].map(displayName) : [],
		drivers: new KernelModules({
			builtIn: text("modules.builtin") ?? builtInOfImage ?? "",
			dependencies: text("modules.dep"),
			files: modules?.inode.type === "directory" ? moduleFiles(modules.inode) : [],
		}),
	};
}

function* moduleFiles(directory: Parameters<typeof walk>[0]): Generator<string> {
	for (const { path, inode } of walk(directory))
		if (inode.type !== "directory" && /\.ko(\.(gz|xz|zst))?$/.test(path)) yield path;
}

export async function readEfiParts(tree: ImageTree, efi: EfiFiles): Promise<Record<keyof EfiFiles, EfiPart>> {
	const part = async (file: FoundFile): Promise<EfiPart> => ({
		file,
		pe:
			file.inode.byteLength > MAX_EFI_BYTES
				? `it has ${file.inode.byteLength} bytes`
				: decodePe(await tree.read(file.inode, MAX_EFI_BYTES)),
	});
	return {
		shim: await part(efi.shim),
		mokManager: await part(efi.mokManager),
		secondStage: await part(efi.secondStage),
	};
}

/** `/usr/lib/modules/RELEASE/config` (Fedora) or `/boot/config-RELEASE` (both). */
export async function readKernelConfig(tree: ImageTree, release: string): Promise<KernelConfig | undefined> {
	const name = byteStringFromText(release);
	const text = await readText(tree, [`/usr/lib/modules/${name}/config`, `/boot/config-${name}`]);
	if (text === undefined) return undefined;
	return {
		get(setting) {
			let value: string | undefined;
			for (const line of linesNaming(text, setting)) {
				if (line.startsWith(`${setting}=`)) value = line.slice(setting.length + 1);
				else if (line === `# ${setting} is not set`) value = "n";
			}
			return value;
		},
	};
}

/** Whole lines in which `word` is. */
function* linesNaming(text: string, word: string): Generator<string> {
	for (let at = text.indexOf(word); at >= 0; ) {
		const end = text.indexOf("\n", at);
		yield text.slice(text.lastIndexOf("\n", at) + 1, end < 0 ? text.length : end);
		at = end < 0 ? -1 : text.indexOf(word, end);
	}
}

/** The first of the paths that is a regular file; undefined where none is. */
export async function readText(tree: ImageTree, paths: readonly string[]): Promise<string | undefined> {
	for (const path of paths) {
		const found = lookupQuietly(tree, path);
		if (found?.inode.type !== "file" || found.inode.byteLength > MAX_TEXT_BYTES) continue;
		return Buffer.from(await tree.read(found.inode, MAX_TEXT_BYTES)).toString("utf8");
	}
	return undefined;
}
