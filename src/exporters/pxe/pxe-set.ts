import { displayName, utf8TextOf } from "../../binary/byte-string.ts";
import type { BootFile } from "../../boot/boot-files.ts";
import { ISO_PATHS } from "../../boot/iso-paths.ts";
import { loaderPackages } from "../../boot/loader-packages.ts";
import { NETBOOT_ROOT, netbootEntries, netbootPath } from "../../boot/netboot/entries.ts";
import { renderNetbootGrubConfig } from "../../boot/netboot/grub-menu.ts";
import { renderIpxeScript } from "../../boot/netboot/ipxe-script.ts";
import type { FileInode } from "../../tree/inode.ts";
import { lookupQuietly } from "../../tree/lookup-quietly.ts";
import type { FileSetExporter, SetFile } from "../exporter.ts";
import type { LiveSystem } from "../live-system.ts";

const IPXE_SCRIPT = "boot.ipxe";
const GRUB_CONFIG = "grub.cfg";
/** Where builds of GRUB for EFI look for their menu when they came from the network: beside themselves, or where Debian's do. */
const GRUB_CONFIGS = [GRUB_CONFIG, ISO_PATHS.efiMenu, ISO_PATHS.otherEfiMenu, "grub/grub.cfg"];

/** Files for network boot. */
export const pxeSet: FileSetExporter = {
	rootfs: NETBOOT_ROOT,
	known: [GRUB_CONFIG, IPXE_SCRIPT],
	isLast: (path) => path === IPXE_SCRIPT || GRUB_CONFIGS.includes(path),
	files: pxeFiles,
};

/**
 * Everything of the set but the root file system: kernel and initramfs as PXE servers call them, boot loaders for UEFI as the ISO has them, menus for iPXE
 * and GRUB. `baseUrl`: where clients find the set, without a slash at its end. Throws as `netbootEntries` and `renderIpxeScript`.
 */
function pxeFiles({ contract, tree, files }: LiveSystem, baseUrl: string | undefined): SetFile[] {
	const entries = netbootEntries(contract);
	const menu = text(renderNetbootGrubConfig(contract, entries, baseUrl));
	const menus = contract.bootLoader === "grub2" ? GRUB_CONFIGS : [GRUB_CONFIG];
	const isMenu = (path: string): boolean => GRUB_CONFIGS.includes(path);
	const netGrub = netGrubOf(contract);
	const taken = files.flatMap((file) => {
		const path = pathOf(file);
		if (path === undefined || isMenu(path)) return [];
		const { content } = file;
		if (content.kind === "rootfs") return [];
		if (netGrub !== undefined && content.kind === "image" && content.file === contract.efi.secondStage)
			return [{ path, stream: () => contract.loaders.stream(netGrub) }];
		const stream = content.kind === "image" ? () => tree.stream(content.file.inode) : text(content.bytes);
		return [{ path, stream }];
	});
	return [
		...taken,
		...menus.map((path) => ({ path, stream: menu })),
		{ path: IPXE_SCRIPT, stream: text(renderIpxeScript(contract, entries, baseUrl)) },
	];
}

/** Debian's GRUB for media has no network drivers; others' has. */
function netGrubOf({ machine, loaders, bootLoader }: LiveSystem["contract"]): FileInode | undefined {
	if (bootLoader !== "grub2") return undefined;
	const paths = loaderPackages(machine).flatMap(({ paths: places }) => places[machine.efi.netGrub] ?? []);
	for (const path of paths) {
		const inode = lookupQuietly(loaders, path)?.inode;
		if (inode?.type === "file") return inode;
	}
	return undefined;
}

function pathOf({ iso, esp }: BootFile): string | undefined {
	const kernelFile = iso === undefined ? undefined : netbootPath(iso);
	const path = kernelFile ?? (esp?.startsWith(`${ISO_PATHS.efiDirectory}/`) === true ? esp : undefined);
	return path && (utf8TextOf(path) ?? displayName(path));
}

function text(content: string | Uint8Array): () => AsyncIterable<Uint8Array> {
	return async function* () {
		yield typeof content === "string" ? Buffer.from(content) : content;
	};
}
