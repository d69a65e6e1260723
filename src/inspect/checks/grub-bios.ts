import { type ByteString, byteStringFromText, displayName } from "../../binary/byte-string.ts";
import { MiB } from "../../binary/units.ts";
import { type BootFileParts, bootFiles } from "../../boot/boot-files.ts";
import { CORE_IMAGE, readModuleNames } from "../../boot/grub/made/core-image/build-core.ts";
import { grubFileReader } from "../../boot/grub/made/image-reader.ts";
import { plannedFileSystems } from "../../boot/grub/menu-places.ts";
import { walkGrubBios } from "../../boot/grub/model/bios-walk.ts";
import { readGrubModule } from "../../boot/grub/model/module-file.ts";
import { PC_BIOS } from "../../boot/machines.ts";
import { Oci2isoError } from "../../errors.ts";
import type { Findings } from "../../findings/findings.ts";
import { lookupQuietly } from "../../tree/lookup-quietly.ts";
import type { BootParts } from "../boot-parts.ts";
import { LINES } from "../containerfile.ts";
import { reportWalk } from "../grub-findings.ts";

/** What the BIOS menu runs: the menu itself, `search -l`, `linux`, `initrd`. */
const COMMANDS = ["normal", "search", "search_label", "linux", "iso9660", "part_gpt", "biosdisk", "gzio"];
const MAX_MODULES = 1000;
const MAX_MODULE_BYTES = MiB;

/** GRUB for BIOS has what its menu uses, and comes to it from a CD and from a disk. */
export async function checkGrubBios(parts: BootParts, planned: BootFileParts, findings: Findings): Promise<void> {
	const { grubDirectory } = parts;
	if (grubDirectory === undefined || !(await checkModules(parts, grubDirectory, findings))) return;
	await checkMenuIsFound(parts, grubDirectory, planned, findings);
}

async function checkMenuIsFound(
	parts: BootParts,
	directory: ByteString,
	planned: BootFileParts,
	findings: Findings,
): Promise<void> {
	const { tree, loaders } = parts;
	let coreModules: readonly string[];
	try {
		coreModules = await readModuleNames(grubFileReader(loaders, directory), CORE_IMAGE.modules);
	} catch (error) {
		if (!(error instanceof Oci2isoError)) throw error;
		return findings.block("GRUB_BIOS_NO_CORE", "no core image of GRUB for BIOS can be made", ["bios"], {
			evidence: error.message,
			containerfile: LINES.grubModulesAgain,
		});
	}
	const core = {
		prefix: CORE_IMAGE.prefix,
		configuration: undefined,
		memoryDisk: undefined,
		modules: new Map(coreModules.map((name) => [name, new Uint8Array()])),
	};
	const { iso } = plannedFileSystems(bootFiles(planned, 0), {
		label: byteStringFromText(planned.label),
		read: (file) => tree.read(file, MAX_MODULE_BYTES),
	});
	for (const start of ["cd", "usb"] as const)
		reportWalk(await walkGrubBios(core, start, iso, iso), { firmware: "BIOS", start }, parts.machine, findings);
}

/** It has the modules of the commands in grub.cfg, with all that they say they depend on, and they are modules. */
async function checkModules({ loaders: tree }: BootParts, directory: ByteString, findings: Findings): Promise<boolean> {
	const needed = new Set<ByteString>(COMMANDS.map(byteStringFromText));
	const missing: string[] = [];
	const broken: string[] = [];
	for (const name of needed) {
		if (needed.size > MAX_MODULES) break;
		const inode = lookupQuietly(tree, `${directory}/${name}.mod`)?.inode;
		if (inode?.type !== "file") {
			missing.push(`no ${displayName(name)}.mod`);
			continue;
		}
		const module =
			inode.byteLength > MAX_MODULE_BYTES
				? `it has ${inode.byteLength} bytes`
				: readGrubModule(await tree.read(inode, MAX_MODULE_BYTES), PC_BIOS);
		if (typeof module === "string") broken.push(`${displayName(name)}.mod is no module: ${module}`);
		else for (const other of module.dependencies) needed.add(other);
	}
	if (missing.length + broken.length === 0) {
		findings.ok(
			"GRUB_BIOS_MODULES",
			`GRUB for BIOS has the ${needed.size} modules its menu uses`,
			displayName(directory),
		);
		return true;
	}
	findings.block("GRUB_BIOS_MODULES_MISSING", "GRUB for BIOS lacks modules that its menu uses", ["bios"], {
		evidence: `in ${displayName(directory)}: ${[...missing, ...broken].join(", ")}`,
		containerfile: broken.length > 0 ? LINES.grubModulesAgain : LINES.grubModules,
	});
	return false;
}
