import { type ByteString, displayName } from "../binary/byte-string.ts";
import { MAX_EFI_BYTES } from "../boot/boot-file-limits.ts";
import { walkGrubEfi } from "../boot/grub/model/efi-walk.ts";
import { fatFileSystem, type GrubStart, grubMedium } from "../boot/grub/model/medium.ts";
import { describeWalk, type GrubWalk } from "../boot/grub/model/walk.ts";
import { loaderPath, loaderPaths } from "../boot/iso-paths.ts";
import { isShim } from "../boot/secure-boot.ts";
import { shimNamesIn } from "../boot/shim-names.ts";
import { isSystemdBoot } from "../boot/systemd-boot/program.ts";
import { corrupt, type Oci2isoError } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import type { FatReadFile, FatVolume } from "../formats/fat/read-fat.ts";
import type { PeImage } from "../formats/pe/pe-image.ts";
import { machineName } from "../formats/pe/pe-layout.ts";
import { readEfiProgram } from "./efi-program.ts";
import { fatFileAt } from "./esp-check.ts";
import { checkLoaderMenu } from "./loader-menu.ts";
import { machineOn } from "./medium-files.ts";
import { type BootVolume, type CheckedMenu, checkMenu } from "./menu-check.ts";
import { volumeFileSystem } from "./volume-file-system.ts";

interface EfiPrograms {
	/** By path on the partition, in the order in which they are started. */
	readonly programs: ReadonlyMap<string, PeImage>;
	/** Undefined where what GRUB does is not known. */
	readonly menu: CheckedMenu | undefined;
}

/** From the firmware's default loader: shim, GRUB, what is built into that, menu. `volumes` has the medium's own volume first. */
export async function walkUefi(
	start: GrubStart,
	esp: FatVolume,
	volumes: readonly [BootVolume, ...BootVolume[]],
	findings: Findings,
): Promise<EfiPrograms> {
	const machine = machineOn(volumes[0].root);
	const paths = loaderPaths(machine);
	const programs = new Map<string, PeImage>();
	const load = async (path: string): Promise<{ readonly program: PeImage; readonly bytes: Uint8Array }> => {
		const bytes = await readFile(esp, path, MAX_EFI_BYTES);
		const program = readEfiProgram(bytes, `/${path}`);
		findings.equal("machine type", machineName(program.machine), machine.name, `/${path}`);
		programs.set(path, program);
		return { program, bytes };
	};
	const loader = await load(paths.loader);
	const hasShim = isShim(loader.program);
	const grubName = hasShim ? (await shimNamesIn([loader.bytes])).grub : undefined;
	const grubPath = grubName === undefined ? paths.grub : loaderPath(grubName);
	const grub = hasShim ? (await load(grubPath)).program : loader.program;
	const where = `/${hasShim ? grubPath : paths.loader}`;
	if (!hasShim) findings.note("the firmware's default loader is no shim", where);
	if (isSystemdBoot(grub)) {
		const menu = await checkLoaderMenu(esp, volumes, findings);
		findings.detail = `${hasShim ? "shim, " : ""}systemd-boot, ${menu.menu.entries.length} menu entries`;
		return { programs, menu };
	}
	const directory = `/${where.slice(1, where.lastIndexOf("/"))}`;
	const medium = grubMedium(start, volumeFileSystem(volumes[0]), fatFileSystem(esp.root), directory);
	const walk = await walkGrubEfi(grub, medium);
	if (walk.kind === "unknown") {
		findings.undecided = `what GRUB does is not known: ${describeWalk(walk)}`;
		return { programs, menu: undefined };
	}
	if (walk.kind === "no menu") throw noMenu(walk, where);
	reportModules(walk, findings);
	const { device, path, script } = walk.config;
	const menu = await checkMenu(script, `(${device})${displayName(path)}`, volumes, findings);
	if (menu.menu.searchLabels.length + menu.menu.searchFiles.length === 0)
		findings.fault("nothing makes GRUB look at the volume", `(${device})${displayName(path)}`, "search --set=root");
	const stages = hasShim ? "shim, GRUB" : "GRUB";
	findings.detail = `${stages}, (${device})${displayName(path)}, ${menu.menu.entries.length} menu entries`;
	return { programs, menu };
}

export function noMenu(walk: Extract<GrubWalk, { kind: "no menu" }>, where: string): Oci2isoError {
	const what = `GRUB ${walk.does}: ${describeWalk(walk)}`;
	return corrupt("NO_GRUB_CONFIG", what, where, "a grub.cfg that it reads, up to its menu");
}

/** Modules that it asks for on the way to its menu, or for an entry, and that are none. */
export function reportModules({ brokenModules }: GrubWalk, findings: Findings): void {
	for (const broken of brokenModules) findings.fault(broken, "GRUB's modules", "modules as GRUB has them");
}

async function readFile(esp: FatVolume, path: ByteString, maxBytes: number): Promise<Uint8Array> {
	const file: FatReadFile | undefined = fatFileAt(esp.root, path);
	if (file === undefined)
		throw corrupt("NO_EFI_FILE", "it is not on the EFI system partition", `/${displayName(path)}`, "it");
	if (file.byteLength > maxBytes)
		throw corrupt("FILE_TOO_LARGE", `it has ${file.byteLength} bytes`, `/${displayName(path)}`, `at most ${maxBytes}`);
	return file.read();
}
