import type { ByteSource } from "../binary/byte-source.ts";
import { type ByteString, byteStringOf, displayName } from "../binary/byte-string.ts";
import { DISK_BLOCK_BYTES, divideCeil, ISO_BLOCK_BYTES, MiB } from "../binary/units.ts";
import { DECOMPRESSOR_FILLED_BYTES, DECOMPRESSOR_OFFSET, diskBootTail } from "../boot/grub/core-layout.ts";
import { walkGrubBios } from "../boot/grub/model/bios-walk.ts";
import type { GrubStart } from "../boot/grub/model/medium.ts";
import { decompressGrubCore, findGrubModules, type GrubModules } from "../boot/grub/model/modules.ts";
import { MAX_GRUB_CONFIG_BYTES } from "../boot/grub/model/shell.ts";
import { describeWalk } from "../boot/grub/model/walk.ts";
import { biosFilePath } from "../boot/iso-paths.ts";
import { PC_BIOS } from "../boot/machines.ts";
import { corrupt } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import { decodeMbr } from "../formats/gpt/mbr.ts";
import type { BiosImage } from "./boot-image-check.ts";
import { fileAt, readVolumeFile } from "./medium-files.ts";
import { type BootVolume, type CheckedMenu, checkMenu } from "./menu-check.ts";
import { noMenu, reportModules } from "./uefi-walk.ts";
import { volumeFileSystem } from "./volume-file-system.ts";

const MAX_MODULE_BYTES = 16 * MiB;

/** From the catalog's entry: cdboot in the first block, diskboot after it, core image, prefix, menu. */
export async function walkBiosCd(
	source: ByteSource,
	image: BiosImage,
	volumes: readonly BootVolume[],
	findings: Findings,
): Promise<CheckedMenu> {
	const first = Buffer.from(await source.read(image.block * ISO_BLOCK_BYTES, ISO_BLOCK_BYTES));
	const name = "cdboot.img";
	await compareWith({ name, bytes: first, except: [8, 64] }, `block ${image.block}`, volumes, findings);
	return walkCore("cd", source, image, image.block * 4 + 4, volumes, findings);
}

/** From the MBR's jump: diskboot, core image, prefix, menu. */
export async function walkBiosUsb(
	source: ByteSource,
	image: BiosImage,
	volumes: readonly BootVolume[],
	findings: Findings,
): Promise<CheckedMenu> {
	const { kernelBlock } = decodeMbr(await source.read(0, DISK_BLOCK_BYTES));
	if (kernelBlock * BigInt(DISK_BLOCK_BYTES) >= BigInt(source.byteLength))
		throw corrupt(
			"BAD_MBR",
			`GRUB's boot code jumps to 512-byte block ${kernelBlock}`,
			"512-byte block 0",
			"a block of the disk",
		);
	return walkCore("usb", source, image, Number(kernelBlock), volumes, findings);
}

async function walkCore(
	start: GrubStart,
	source: ByteSource,
	image: BiosImage,
	diskbootBlock: number,
	volumes: readonly BootVolume[],
	findings: Findings,
): Promise<CheckedMenu> {
	const sector = Buffer.from(await source.read(diskbootBlock * DISK_BLOCK_BYTES, DISK_BLOCK_BYTES));
	const where = `512-byte block ${diskbootBlock}`;
	const { startBlock, blockCount, code } = diskBootTail.decode(sector);
	const firstBlock = Number(startBlock);
	const listed = { name: "diskboot.img", bytes: sector, except: [code.byteLength, sector.byteLength] } as const;
	await compareWith(listed, where, volumes, findings);
	const core = image.bytes.subarray(DECOMPRESSOR_OFFSET);
	const sectors = divideCeil(core.byteLength, DISK_BLOCK_BYTES);
	if (blockCount < sectors) findings.fault(`it loads ${blockCount} blocks`, where, `${sectors}, the core image`);
	findings.equal("first block that it loads", firstBlock, diskbootBlock + 1, where);
	if (firstBlock * DISK_BLOCK_BYTES + core.byteLength > source.byteLength)
		throw corrupt("BAD_BOOT_IMAGE", `it loads from block ${firstBlock}`, where, "the core image");
	const loaded = await source.read(firstBlock * DISK_BLOCK_BYTES, core.byteLength);
	const decompressorFile = {
		name: "lzma_decompress.img",
		bytes: loaded,
		except: [0, DECOMPRESSOR_FILLED_BYTES],
	} as const;
	const decompressor = await compareWith(decompressorFile, where, volumes, findings);
	const kernel = decompressGrubCore(loaded, decompressor?.byteLength);
	const modules = kernel === undefined ? undefined : findGrubModules(kernel);
	if (modules?.prefix === undefined)
		throw corrupt(
			"BAD_CORE_IMAGE",
			"the core image does not decompress, or has no prefix",
			where,
			`GRUB for ${PC_BIOS.name}`,
		);
	return walkModules(start, { ...modules, prefix: modules.prefix }, volumes, findings);
}

/** What GRUB does then: its early configuration, normal.mod and the modules that it asks for, grub.cfg up to the menu, the entries. */
async function walkModules(
	start: GrubStart,
	modules: GrubModules & { readonly prefix: ByteString },
	volumes: readonly BootVolume[],
	findings: Findings,
): Promise<CheckedMenu> {
	const [first, partition] = volumes;
	const directory = modules.prefix.replace(/^\([^)]*\)/, "");
	const config = `${directory}/grub.cfg`;
	for (const { root, name } of volumes)
		for (const file of [`${directory}/${PC_BIOS.name}/normal.mod`, config])
			if (fileAt(root, file) === undefined)
				findings.fault(`${displayName(file)} is not in ${name}`, "GRUB's prefix", "it there");
	const file = first === undefined ? undefined : fileAt(first.root, config);
	if (first === undefined || file === undefined)
		throw corrupt("NO_GRUB_CONFIG", "there is no grub.cfg under the prefix", displayName(config), "one");
	const walk = await walkGrubBios(modules, start, volumeFileSystem(first), partition && volumeFileSystem(partition));
	if (walk.kind === "no menu") throw noMenu(walk, "GRUB's core image");
	if (walk.kind === "unknown") findings.undecided = `what GRUB does is not known: ${describeWalk(walk)}`;
	reportModules(walk, findings);
	const [script, where] =
		walk.kind === "menu"
			? [walk.config.script, displayName(walk.config.path)]
			: [byteStringOf(await readVolumeFile(first.source, file, MAX_GRUB_CONFIG_BYTES, config)), displayName(config)];
	const checked = await checkMenu(script, where, volumes, findings);
	for (const module of new Set(checked.menu.modules))
		if (fileAt(first.root, `${directory}/${PC_BIOS.name}/${module}.mod`) === undefined)
			findings.note(`insmod ${displayName(module)} finds no module`, where);
	findings.detail = `prefix ${displayName(modules.prefix)}, ${checked.menu.entries.length} menu entries`;
	return checked;
}

/** What is loaded begins with a file of GRUB's but for the bytes from one offset up to another, which whoever uses it fills in. Returns the file. */
async function compareWith(
	{ name, bytes, except: [from, to] }: { name: string; bytes: Uint8Array; except: readonly [number, number] },
	where: string,
	[first]: readonly BootVolume[],
	findings: Findings,
): Promise<Buffer | undefined> {
	const path = biosFilePath(name);
	const file = first && fileAt(first.root, path);
	const wanted = first && file && (await readVolumeFile(first.source, file, MAX_MODULE_BYTES, path));
	const known = (all: Uint8Array): Buffer => Buffer.concat([all.subarray(0, from), all.subarray(to)]);
	if (wanted === undefined) findings.note(`there is no ${name} to compare with`);
	else if (!known(bytes.subarray(0, wanted.byteLength)).equals(known(wanted)))
		findings.fault(`it does not begin with GRUB's ${name}`, where, `it, but for bytes ${from} to ${to - 1}`);
	return wanted;
}
