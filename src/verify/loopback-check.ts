import { byteStringOf } from "../binary/byte-string.ts";
import { MAX_GRUB_CONFIG_BYTES } from "../boot/grub/model/shell.ts";
import { ISO_PATHS } from "../boot/iso-paths.ts";
import { Findings } from "../findings/findings.ts";
import { readBootMenu } from "./boot-menu.ts";
import { fileAt, readVolumeFile } from "./medium-files.ts";
import { type BootVolume, checkEntries, ISO_FILE } from "./menu-check.ts";

/** loopback.cfg, where the medium has one: its entries lead to the root file system as the other menus' do, and pass on where the ISO lies. */
export async function checkLoopback(volume: BootVolume, findings: Findings): Promise<void> {
	const where = `/${ISO_PATHS.loopbackMenu}`;
	const file = fileAt(volume.root, ISO_PATHS.loopbackMenu);
	if (file === undefined) {
		findings.undecided = "the medium has none";
		return;
	}
	const script = byteStringOf(await readVolumeFile(volume.source, file, MAX_GRUB_CONFIG_BYTES, where));
	// Other programs' only read their other menus.
	const own = new Findings();
	const menu = readBootMenu(script, where, own);
	const { entries } = menu;
	if (entries.length === 0) {
		findings.undecided = `${where} has no entry of its own`;
		return;
	}
	for (const finding of own.list) findings.add(finding);
	await checkEntries(menu, where, [volume], findings);
	if (!entries.some(({ kernelArguments }) => kernelArguments.some((word) => word.endsWith(ISO_FILE))))
		findings.fault("no entry says where the ISO lies", where, `an argument NAME${ISO_FILE}`);
	findings.detail = `${entries.length} menu entries`;
}
