import type { BootParts } from "../boot-parts.ts";
import { quietLookup, readText } from "../boot-parts.ts";
import { LINES } from "../containerfile.ts";
import type { FindingList } from "../finding.ts";

const DIRECTORY = "/usr/lib/grub/i386-pc";
/** What the BIOS menu runs: the menu itself, `search -l`, `linux`, `initrd`. */
const COMMANDS = ["normal", "search", "search_label", "linux", "iso9660", "part_gpt", "biosdisk", "gzio"];
const MAX_MODULES = 1000;

/** GRUB for BIOS has the modules of the commands in grub.cfg, with all that they depend on (moddep.lst). */
export async function checkGrubModules({ tree, hasGrubModules }: BootParts, findings: FindingList): Promise<void> {
	if (!hasGrubModules) return;
	const dependencies = new Map<string, string[]>();
	for (const line of ((await readText(tree, [`${DIRECTORY}/moddep.lst`])) ?? "").split("\n")) {
		const [name = "", rest = ""] = line.split(":", 2);
		dependencies.set(
			name,
			rest.split(" ").filter((word) => word !== ""),
		);
	}
	const needed = new Set(COMMANDS);
	for (const name of needed) {
		if (needed.size > MAX_MODULES) break;
		for (const other of dependencies.get(name) ?? []) needed.add(other);
	}
	const missing = [...needed].filter((name) => quietLookup(tree, `${DIRECTORY}/${name}.mod`)?.inode.type !== "file");
	if (missing.length === 0)
		return findings.ok("GRUB_BIOS_MODULES", `GRUB for BIOS has the ${needed.size} modules its menu uses`, DIRECTORY);
	findings.block("GRUB_BIOS_MODULES_MISSING", "GRUB for BIOS lacks modules that its menu uses", ["bios"], {
		evidence: `no ${missing.map((name) => `${name}.mod`).join(", ")} in ${DIRECTORY}`,
		containerfile: LINES.grubModules,
	});
}
