import { type ByteString, bytesOf } from "../binary/byte-string.ts";
import type { Contract, FoundFile, GrubModules } from "../contract/contract.ts";
import type { FileInode } from "../tree/inode.ts";
import { discInfo } from "./disc-info.ts";
import { renderGrubConfig, renderLoopbackConfig } from "./grub/made/menu.ts";
import {
	biosFilePath,
	deviceTreePath,
	furtherKernelPaths,
	grubAdditionPath,
	ISO_PATHS,
	loaderPath,
	loaderPaths,
	unifiedKernelPath,
} from "./iso-paths.ts";
import { renderLoaderFiles } from "./systemd-boot/entries.ts";

/** Where the content comes from: a file of the image, with its attributes, or bytes made here (mode 0644, owner root). */
type BootFileContent =
	| {
			readonly kind: "image";
			readonly file: FoundFile;
			/** Names its bytes; default: as `contentKeyOf` the file's inode. */
			readonly contentKey?: string | undefined;
	  }
	| { readonly kind: "generated"; readonly bytes: Uint8Array }
	/** One more name of the root file system. */
	| { readonly kind: "rootfs" };

/** One file beside the squashfs, and every place it is in. Paths are relative, components separated by `/`. */
export interface BootFile {
	/** In the ISO's tree, or undefined. */
	readonly iso: ByteString | undefined;
	/** On the EFI system partition, or undefined. */
	readonly esp: ByteString | undefined;
	readonly content: BootFileContent;
}

/** Names the bytes of a file of the image. */
export function contentKeyOf({ layer, entry, part }: FileInode): string {
	return `image ${layer} ${entry}${part === undefined ? "" : ` ${part.offset}`}`;
}

/** Names the files of another image apart from those of the first: both count layers and entries from 0. */
export function namedApart(files: readonly BootFile[], others: ReadonlySet<FileInode>, owner: string): BootFile[] {
	return files.map((file) => {
		const { content } = file;
		if (content.kind !== "image" || !others.has(content.file.inode)) return file;
		return { ...file, content: { ...content, contentKey: `${owner} ${contentKeyOf(content.file.inode)}` } };
	});
}

/** Where a copy of the menu for UEFI is, in the ISO's tree, on the EFI system partition, or on both. */
export type MenuPlace = Pick<BootFile, "iso" | "esp">;

/**
 * Where builds of GRUB for EFI look: Fedora's beside themselves, Debian's since 2.12 below `/boot/grub`; on the EFI system partition when
 * started from a disk, in the ISO's tree when started from a CD. The contract has the first one only.
 */
export const STANDARD_MENUS: readonly MenuPlace[] = [ISO_PATHS.efiMenu, ISO_PATHS.otherEfiMenu].map((path) => ({
	iso: path,
	esp: path,
}));

/** What boot files are made from; those of parts that an image does not have are left out. */
export interface BootFileParts extends Pick<Contract, "label" | "osRelease" | "machine" | "bootLoader" | "grub2"> {
	readonly efi?: Contract["efi"] | undefined;
	readonly shimNames?: Contract["shimNames"] | undefined;
	readonly kernel?: Contract["kernel"] | undefined;
	readonly furtherKernels?: Contract["furtherKernels"] | undefined;
	readonly deviceTrees?: Contract["deviceTrees"] | undefined;
	readonly unifiedKernels?: Contract["unifiedKernels"] | undefined;
	readonly grubAdditions?: Contract["grubAdditions"] | undefined;
	readonly unicodeFont?: FoundFile | undefined;
	readonly grubModules?: Pick<GrubModules, "files"> | undefined;
	readonly hasLiveBoot?: boolean | undefined;
}

/**
 * Every file of the ISO that needs no layout: boot loaders, menus at their standard places, GRUB's modules, kernel, initramfs, `.discinfo`, the root file
 * system's name for live-boot. Not in it: squashfs, core image and EFI image.
 */
export function bootFiles(contract: BootFileParts, epochSeconds: number): BootFile[] {
	const { efi, shimNames, kernel, unicodeFont, grubModules, hasLiveBoot } = contract;
	const image = (file: FoundFile): BootFileContent => ({ kind: "image", file });
	const both = (path: ByteString, file: FoundFile | undefined): BootFile[] =>
		file === undefined ? [] : [{ iso: path, esp: path, content: image(file) }];
	const isoOnly = (iso: ByteString, content: BootFileContent): BootFile => ({ iso, esp: undefined, content });
	const isGrub = contract.bootLoader === "grub2";
	const loaders = loaderPaths(contract.machine);
	const kernels = [
		...(kernel === undefined ? [] : [{ ...kernel, paths: ISO_PATHS }]),
		...(contract.furtherKernels ?? []).map((each) => ({ ...each, paths: furtherKernelPaths(each.version) })),
	];
	const kernelFiles = [
		...kernels.flatMap(
			({ paths, vmlinuz, initramfs }) =>
				[
					[paths.kernel, vmlinuz],
					[paths.initramfs, initramfs],
				] as const,
		),
		...(contract.deviceTrees ?? []).map(({ name, file }) => [deviceTreePath(name), file] as const),
		...(contract.unifiedKernels ?? []).map(({ name, file }) => [unifiedKernelPath(name), file] as const),
	];
	return [
		...both(loaders.loader, efi?.shim),
		...both(loaders.mokManager, efi?.mokManager),
		...both(loaders.grub, efi?.secondStage),
		...(shimNames?.mokManager === undefined ? [] : both(loaderPath(shimNames.mokManager), efi?.mokManager)),
		...(shimNames?.grub === undefined ? [] : both(loaderPath(shimNames.grub), efi?.secondStage)),
		...both(ISO_PATHS.efiFont, unicodeFont),
		...(isGrub ? grubMenus(contract) : loaderFiles(contract)),
		...(grubModules?.files ?? []).map(({ relativePath, file }) => isoOnly(biosFilePath(relativePath), image(file))),
		...((isGrub ? contract.grubAdditions?.files : undefined) ?? []).map(({ relativePath, file }) =>
			isoOnly(grubAdditionPath(relativePath), image(file)),
		),
		...kernelFiles.flatMap(([path, file]) => (isGrub ? isoOnly(path, image(file)) : both(path, file))),
		...(hasLiveBoot === true ? [isoOnly(ISO_PATHS.liveBootSquashfs, { kind: "rootfs" })] : []),
		isoOnly(ISO_PATHS.discInfo, {
			kind: "generated",
			bytes: bytesOf(discInfo(epochSeconds, contract.osRelease.versionId, contract.machine.name)),
		}),
	];
}

function grubMenus(contract: BootFileParts): BootFile[] {
	const menu = generated(renderGrubConfig(contract, "uefi"));
	const menus = [...STANDARD_MENUS.map((place) => ({ ...place, content: menu })), loopbackMenu(contract)];
	if (contract.machine.grub.bios === undefined) return menus;
	return [
		...menus,
		{ iso: ISO_PATHS.biosMenu, esp: undefined, content: generated(renderGrubConfig(contract, "bios")) },
	];
}

/** systemd-boot reads the EFI system partition only; in the ISO's tree they are for people, and say what boots it. */
function loaderFiles(contract: BootFileParts): BootFile[] {
	const files = renderLoaderFiles(contract.grub2);
	return [
		...files.map(({ path, text }) => ({ iso: path, esp: path, content: generated(text) })),
		loopbackMenu(contract),
	];
}

/** For a GRUB that is not the ISO's own. */
function loopbackMenu(contract: BootFileParts): BootFile {
	return { iso: ISO_PATHS.loopbackMenu, esp: undefined, content: generated(renderLoopbackConfig(contract)) };
}

function generated(text: string): BootFileContent {
	return { kind: "generated", bytes: Buffer.from(text, "utf8") };
}

/** The same files with the menu for UEFI at more places. */
export function withMenus(files: readonly BootFile[], places: readonly MenuPlace[]): BootFile[] {
	const menu = files.find(({ iso }) => iso === ISO_PATHS.efiMenu);
	return [...files, ...(menu === undefined ? [] : places.map((place) => ({ ...place, content: menu.content })))];
}
