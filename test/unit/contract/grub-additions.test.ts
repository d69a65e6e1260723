import { describe, expect, it } from "vitest";
import { renderGrubConfig } from "../../../src/boot/grub/made/menu.ts";
import { GRUB_ADDITIONS_PATH, readGrubAdditions } from "../../../src/contract/grub-additions.ts";
import { Findings } from "../../../src/findings/findings.ts";
import { SmallRoot } from "../../support/small-root.ts";

type Files = Readonly<Record<string, string | Buffer>>;

async function read(files: Files) {
	const root = new SmallRoot();
	for (const [path, content] of Object.entries(files)) root.file(`${GRUB_ADDITIONS_PATH}/${path}`, content);
	const findings = new Findings();
	const additions = await readGrubAdditions(root, findings);
	return { additions, codes: findings.list.map(({ code }) => code) };
}

const tooLarge = ["GRUB_ADDITIONS_TOO_LARGE"];
const grub2 = {
	timeoutSeconds: 5,
	defaultEntry: undefined,
	isBuiltIn: false,
	entries: [{ name: "One", linux: "/v a", initrd: "/i" }],
};
const menu = async (files: Files, firmware: "uefi" | "bios"): Promise<string> =>
	renderGrubConfig({ label: "L", grub2, grubAdditions: (await read(files)).additions }, firmware);

describe("what an image adds to GRUB's menus", () => {
	it("is set up before the entries, the same for both firmwares, and the script counts last", async () => {
		const files = {
			"grub.cfg": "set timeout=9\r\nif true; then set a=b; fi",
			"it's.pf2": "F",
			"theme/theme.txt": "t",
			"theme/icons/a.png": "p",
			"theme/b.JPG": "j",
			README: "r",
		};
		for (const firmware of ["uefi", "bios"] as const) {
			const text = await menu(files, firmware);
			const added = text.slice(text.indexOf("-l 'L'\n") + 7, text.indexOf("menuentry"));
			expect(added).toBe(`
insmod gfxterm
insmod gfxmenu
insmod png
insmod jpeg
if loadfont '/boot/grub/custom/it'\\''s.pf2'; then true; fi
if loadfont /EFI/BOOT/fonts/unicode.pf2; then true; else loadfont unicode; fi
set gfxmode=auto
terminal_output gfxterm
set theme=($root)/boot/grub/custom/theme/theme.txt
export theme
set timeout=9
if true; then set a=b; fi


`);
		}
		const { additions } = await read(files);
		expect(additions?.files.map(({ relativePath }) => relativePath)).toEqual([
			...["it's.pf2", "theme/b.JPG", "theme/icons/a.png", "theme/theme.txt"],
		]);
	});

	it.each<[string, Files, boolean, string[]]>([
		["nothing", {}, false, []],
		["nothing that is known", { other: "a" }, false, []],
		["a script", { "grub.cfg": "set a=b" }, true, ["GRUB_ADDITIONS"]],
		["a script of another kind", { "grub.cfg": "if true; then" }, false, ["GRUB_SCRIPT_INVALID"]],
		["a script that ends a block too many", { "grub.cfg": "set a=b\n}\n" }, false, ["GRUB_SCRIPT_INVALID"]],
		["a script with an open quote", { "grub.cfg": "set a='b\n" }, false, ["GRUB_SCRIPT_INVALID"]],
		["no text", { "grub.cfg": Buffer.from([0xff, 0xfe, 0]) }, false, ["GRUB_SCRIPT_INVALID"]],
		["too long a script", { "grub.cfg": "#".repeat(70_000) }, false, ["GRUB_SCRIPT_INVALID"]],
		["a theme without its text", { "theme/a.png": "a" }, false, ["GRUB_THEME_INCOMPLETE"]],
		[
			"too many fonts",
			Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`${i}.pf2`, "f"])),
			false,
			tooLarge,
		],
		["too large a font", { "a.pf2": Buffer.alloc(64 * 1024 * 1024 + 1) }, false, tooLarge],
		["a name with a line break", { "a\nb.pf2": "a", "b.pf2": "b" }, true, ["GRUB_ADDITION_SKIPPED", "GRUB_ADDITIONS"]],
	])("is %s", async (_, files, isThere, codes) => {
		const found = await read(files);
		expect(found.codes).toEqual(codes);
		expect(found.additions !== undefined).toBe(isThere);
	});
});
