import { type PeImage, sectionBytes } from "../../../formats/pe/pe-image.ts";
import { MACHINES, machineOfProgram } from "../../machines.ts";
import type { GrubMedium } from "./medium.ts";
import { openMemoryDisk } from "./memory-disk.ts";
import { findGrubModules } from "./modules.ts";
import { type GrubWalk, type StartedGrub, walkGrub } from "./walk.ts";

const MODULES_SECTION = "mods";

/** What a GRUB for EFI does once firmware or shim has started it. */
export async function walkGrubEfi(program: PeImage, medium: GrubMedium): Promise<GrubWalk> {
	const started = startedGrub(program);
	if (started !== undefined) return walkGrub(started, medium);
	const nothing = { prefix: undefined, missing: [], brokenModules: [] };
	const why = "it has no modules as GRUB's programs have them";
	if (carriesLinux(program)) return { kind: "unknown", why, ...nothing };
	return { kind: "no menu", does: "is another program", why, ...nothing };
}

/** Names of a GRUB's built-in modules; undefined where they are not known. */
export function builtInModules(program: PeImage): ReadonlySet<string> | undefined {
	const modules = startedGrub(program)?.modules;
	return modules && new Set(modules.keys());
}

/** A program is walked more than once. */
const known = new WeakMap<PeImage, StartedGrub>();

function startedGrub(program: PeImage): StartedGrub | undefined {
	const before = known.get(program);
	if (before !== undefined) return before;
	const section = sectionBytes(program, MODULES_SECTION);
	const found = section === undefined ? undefined : findGrubModules(section);
	if (found === undefined) return undefined;
	const started: StartedGrub = {
		...found,
		platform: (machineOfProgram(program.machine) ?? MACHINES[0]).grub.efi,
		memoryDisk: found.memoryDisk && openMemoryDisk(found.memoryDisk),
		// Upstream's name of it; builds with Red Hat's changes, Debian's since 2.12 among them, have the other instead.
		startVariables: ["cmdpath", "fw_path"].filter((name) => mentions(program, name)),
	};
	known.set(program, started);
	return started;
}

/** A unified kernel image, which may need neither GRUB nor a menu. */
function carriesLinux({ sections }: PeImage): boolean {
	return sections.some(({ name }) => name === ".linux");
}

/** Whether GRUB's own code, outside of its modules, has a text of its own that says `name`. */
function mentions(program: PeImage, name: string): boolean {
	return program.sections.some(
		({ name: section, bytes }) =>
			section !== MODULES_SECTION &&
			Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(`\0${name}\0`, 0, "latin1"),
	);
}
