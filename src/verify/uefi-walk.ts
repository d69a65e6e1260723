import { type ByteString, byteStringOf, displayName } from "../binary/byte-string.ts";
import { corrupt } from "../errors.ts";
import type { FatReadFile, FatVolume } from "../fat/read-fat.ts";
import { type PeImage, sectionBytes } from "../pe/pe-image.ts";
import { isShim, readEfiProgram } from "./efi-program.ts";
import { fatFileAt, MAX_EFI_FILE_BYTES } from "./esp-check.ts";
import type { Findings } from "./findings.ts";
import { findGrubModules, type GrubModules } from "./grub-modules.ts";
import { type BootVolume, type CheckedMenu, checkMenu, MAX_GRUB_CONFIG_BYTES } from "./menu-check.ts";

/** UEFI 3.5.1.1: what firmware starts on a removable medium. */
export const DEFAULT_LOADER = "EFI/BOOT/BOOTX64.EFI";
/** What shim starts, beside itself. */
export const SECOND_STAGE = "EFI/BOOT/grubx64.efi";
const MODULES_SECTION = "mods";

export interface EfiPrograms {
	/** By path on the partition, in the order in which they are started. */
	readonly programs: ReadonlyMap<string, PeImage>;
	readonly menu: CheckedMenu;
}

/** From the firmware's default loader: shim, GRUB, its prefix, menu. */
export async function walkUefi(
	esp: FatVolume,
	volumes: readonly BootVolume[],
	findings: Findings,
): Promise<EfiPrograms> {
	const programs = new Map<string, PeImage>();
	const load = async (path: string): Promise<PeImage> => {
		const program = readEfiProgram(await readFile(esp, path, MAX_EFI_FILE_BYTES), `/${path}`);
		findings.equal("machine type", program.machine, "x86_64", `/${path}`);
		programs.set(path, program);
		return program;
	};
	const loader = await load(DEFAULT_LOADER);
	const hasShim = isShim(loader);
	const grub = hasShim ? await load(SECOND_STAGE) : loader;
	const where = `/${hasShim ? SECOND_STAGE : DEFAULT_LOADER}`;
	if (!hasShim) findings.note("the firmware's default loader is no shim", where);
	const section = sectionBytes(grub, MODULES_SECTION);
	const modules = section === undefined ? undefined : findGrubModules(section);
	if (modules?.prefix === undefined) throw corrupt("NO_PREFIX", "GRUB has no prefix", where, "one among its modules");
	const config = findConfig(esp, modules);
	if (config === undefined) {
		const expected = `${displayName(modules.prefix)}/grub.cfg on the EFI system partition`;
		throw corrupt("NO_GRUB_CONFIG", "GRUB finds no grub.cfg", where, expected);
	}
	const script = byteStringOf(await readFile(esp, config, MAX_GRUB_CONFIG_BYTES));
	const menu = await checkMenu(script, `EFI system partition, ${displayName(config)}`, volumes, findings);
	if (menu.menu.searchLabels.length + menu.menu.searchFiles.length === 0)
		findings.fault("nothing makes GRUB look at the volume", `/${displayName(config)}`, "search --set=root");
	const stages = hasShim ? "shim, GRUB" : "GRUB";
	findings.detail = `${stages}, prefix ${displayName(modules.prefix)}, ${menu.menu.entries.length} menu entries`;
	return { programs, menu };
}

/** Under the prefix, or beside GRUB itself where an embedded script looks there. */
function findConfig(esp: FatVolume, { prefix, embedded }: GrubModules): ByteString | undefined {
	const own = `${(prefix ?? "").replace(/^\([^)]*\)/, "")}/grub.cfg`;
	if (fatFileAt(esp.root, own) !== undefined) return own;
	const beside = "/EFI/BOOT/grub.cfg";
	const looksBeside = embedded.some((bytes) => Buffer.from(bytes).includes("cmdpath"));
	return looksBeside && fatFileAt(esp.root, beside) !== undefined ? beside : undefined;
}

async function readFile(esp: FatVolume, path: ByteString, maxBytes: number): Promise<Uint8Array> {
	const file: FatReadFile | undefined = fatFileAt(esp.root, path);
	if (file === undefined)
		throw corrupt("NO_EFI_FILE", "it is not on the EFI system partition", `/${displayName(path)}`, "it");
	if (file.byteLength > maxBytes)
		throw corrupt("FILE_TOO_LARGE", `it has ${file.byteLength} bytes`, `/${displayName(path)}`, `at most ${maxBytes}`);
	return file.read();
}
