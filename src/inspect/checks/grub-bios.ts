import { type ByteString, byteStringFromText, displayName } from "../../binary/byte-string.ts";
import { MiB } from "../../binary/units.ts";
import { readGrubModule } from "../../boot/grub-module-file.ts";
import type { BootParts } from "../boot-parts.ts";
import { quietLookup } from "../boot-parts.ts";
import { LINES } from "../containerfile.ts";
import type { FindingList } from "../finding.ts";

const DIRECTORY = "/usr/lib/grub/i386-pc";
/** What the BIOS menu runs: the menu itself, `search -l`, `linux`, `initrd`. */
const COMMANDS = ["normal", "search", "search_label", "linux", "iso9660", "part_gpt", "biosdisk", "gzio"];
const MAX_MODULES = 1000;
const MAX_MODULE_BYTES = MiB;

/** GRUB for BIOS has the modules of the commands in grub.cfg, with all that they say they depend on, and they are modules. */
export async function checkGrubModules({ tree, hasGrubModules }: BootParts, findings: FindingList): Promise<void> {
	if (!hasGrubModules) return;
	const needed = new Set<ByteString>(COMMANDS.map(byteStringFromText));
	const missing: string[] = [];
	const broken: string[] = [];
	for (const name of needed) {
		if (needed.size > MAX_MODULES) break;
		const inode = quietLookup(tree, `${DIRECTORY}/${name}.mod`)?.inode;
		if (inode?.type !== "file") {
			missing.push(`no ${displayName(name)}.mod`);
			continue;
		}
		const module =
			inode.byteLength > MAX_MODULE_BYTES
				? `it has ${inode.byteLength} bytes`
				: readGrubModule(await tree.read(inode, MAX_MODULE_BYTES), "i386-pc");
		if (typeof module === "string") broken.push(`${displayName(name)}.mod is no module: ${module}`);
		else for (const other of module.dependencies) needed.add(other);
	}
	if (missing.length + broken.length === 0)
		return findings.ok("GRUB_BIOS_MODULES", `GRUB for BIOS has the ${needed.size} modules its menu uses`, DIRECTORY);
	findings.block("GRUB_BIOS_MODULES_MISSING", "GRUB for BIOS lacks modules that its menu uses", ["bios"], {
		evidence: `in ${DIRECTORY}: ${[...missing, ...broken].join(", ")}`,
		containerfile: broken.length > 0 ? LINES.grubModulesAgain : LINES.grubModules,
	});
}
