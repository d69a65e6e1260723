import { displayName } from "../../binary/byte-string.ts";
import { KiB, MiB } from "../../binary/units.ts";
import { menuModules } from "../../boot/grub/made/menu.ts";
import { builtInModules } from "../../boot/grub/model/efi-walk.ts";
import { pictureFault } from "../../boot/grub/model/pictures.ts";
import { GRUB_FONT_SUFFIX } from "../../boot/iso-paths.ts";
import type { FoundFile, GrubAdditions } from "../../contract/contract.ts";
import type { Findings } from "../../findings/findings.ts";
import { type ImageTree, partOf } from "../../tree/image-tree.ts";
import { lookupQuietly } from "../../tree/lookup-quietly.ts";
import type { BootParts } from "../boot-parts.ts";

/** Where a JPEG's headers have ended, with a profile and a preview in them. */
const PICTURE_HEAD_BYTES = MiB;
const FONT_HEAD = "FILE\0\0\0\x04PFF2";
const FONT_HEAD_BYTES = 4 * KiB;
const MAX_LOOKED_AT = 1000;

/** GRUB can show what the image adds to its menus; it starts entries all the same where it cannot. */
export async function checkGrubAdditions(
	parts: Pick<BootParts, "tree" | "loaders" | "efi" | "grubDirectory">,
	additions: GrubAdditions,
	findings: Findings,
): Promise<undefined> {
	const { tree } = parts;
	const faults: string[] = [];
	const fonts = additions.files.filter(({ relativePath }) => relativePath.endsWith(GRUB_FONT_SUFFIX));
	for (const { relativePath, file } of additions.files.slice(0, MAX_LOOKED_AT)) {
		const isFont = relativePath.endsWith(GRUB_FONT_SUFFIX);
		if (!isFont && !/\.(png|jpe?g)$/i.test(relativePath)) continue;
		const head = await headOf(tree, file, isFont ? FONT_HEAD_BYTES : PICTURE_HEAD_BYTES);
		const fault = isFont
			? head.toString("latin1", 0, FONT_HEAD.length) === FONT_HEAD
				? undefined
				: "it is no font of GRUB's"
			: pictureFault(relativePath, head);
		if (fault !== undefined) faults.push(`${displayName(file.path)}: ${fault}`);
	}
	for (const evidence of faults)
		findings.warn("GRUB_ADDITION_UNREADABLE", "GRUB does not show a file that the image has for its menus", {
			evidence,
			remedy: "save pictures as PNG in colour, not interlaced, or as baseline JPEG; make fonts with grub-mkfont",
		});
	if (additions.hasTheme) checkModules(parts, menuModules(additions), findings);
	if (fonts.length > 0)
		findings.add({
			code: "GRUB_FONTS_SECURE_BOOT",
			severity: "note",
			what: "under Secure Boot GRUB reads no fonts but the one in it: the menu is shown with that one there",
			evidence: fonts
				.map(({ relativePath }) => displayName(relativePath))
				.slice(0, 10)
				.join(", "),
			blocks: [],
		});
	if (faults.length === 0) findings.ok("GRUB_ADDITIONS", "GRUB can show what the image adds to its menus");
}

function checkModules(
	{ loaders, efi, grubDirectory }: Pick<BootParts, "loaders" | "efi" | "grubDirectory">,
	modules: readonly string[],
	findings: Findings,
): void {
	const own =
		efi === undefined || typeof efi.secondStage.pe === "string" ? undefined : builtInModules(efi.secondStage.pe);
	const forUefi = own === undefined ? [] : modules.filter((name) => !own.has(name));
	const isForBios = (name: string): boolean =>
		lookupQuietly(loaders, `${grubDirectory}/${name}.mod`)?.inode.type === "file";
	const forBios = grubDirectory === undefined ? [] : modules.filter((name) => !isForBios(name));
	for (const [firmware, missing] of [
		["UEFI", forUefi],
		["BIOS", forBios],
	] as const)
		if (missing.length > 0)
			findings.warn("GRUB_THEME_MODULES", `GRUB for ${firmware} cannot show the theme: the menu is text there`, {
				evidence: `without ${missing.join(", ")}`,
			});
}

async function headOf(tree: ImageTree, { inode }: FoundFile, maxBytes: number): Promise<Buffer> {
	const byteLength = Math.min(maxBytes, inode.byteLength);
	const bytes = await tree.read(partOf(inode, 0, byteLength), byteLength);
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
