import { type ByteString, byteStringOf, displayName, utf8TextOf } from "../binary/byte-string.ts";
import { KiB } from "../binary/units.ts";
import { readGrubScript } from "../boot/grub/model/script.ts";
import { GRUB_FONT_SUFFIX, GRUB_THEME } from "../boot/iso-paths.ts";
import type { Findings } from "../findings/findings.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { GrubAdditions, GrubModuleFile } from "./contract.ts";
import { DirectoryCopy } from "./directory-copy.ts";
import { findDirectory, findFile, namesIn } from "./image-files.ts";

/** Beside the first place of iso.yaml. */
export const GRUB_ADDITIONS_PATH = "/usr/lib/image-builder/bootc/grub";
const SCRIPT_PATH = `${GRUB_ADDITIONS_PATH}/grub.cfg`;
const THEME_DIRECTORY = GRUB_THEME.slice(0, GRUB_THEME.indexOf("/"));
const MAX_SCRIPT_BYTES = 64 * KiB;

/** What an image adds to GRUB's menus; the script must be one that GRUB's parser takes, or it would take the entries behind it along. */
export async function readGrubAdditions(tree: ImageTree, findings: Findings): Promise<GrubAdditions | undefined> {
	const directory = findDirectory(tree, GRUB_ADDITIONS_PATH);
	if (directory === undefined) return undefined;
	const script = await readScript(tree, findings);
	const copy = new DirectoryCopy(tree, "GRUB_ADDITION_SKIPPED", findings);
	const listed = (path: string, prefix: string): GrubModuleFile[] => {
		const found = findDirectory(tree, path);
		return found === undefined
			? []
			: copy.list(found).map(({ relativePath, file }) => ({ relativePath: prefix + relativePath, file }));
	};
	const fonts = namesIn(directory).flatMap((name) => {
		const file = name.endsWith(GRUB_FONT_SUFFIX) ? findFile(tree, `${GRUB_ADDITIONS_PATH}/${name}`) : undefined;
		if (file === undefined) return [];
		copy.count(file.inode);
		return [{ relativePath: name, file }];
	});
	const themeFiles = listed(`${GRUB_ADDITIONS_PATH}/${THEME_DIRECTORY}`, `${THEME_DIRECTORY}/`);
	if (copy.excess !== undefined)
		return findings.problem({
			code: "GRUB_ADDITIONS_TOO_LARGE",
			what: `GRUB's fonts and theme have more than ${copy.excess}`,
			where: displayName(directory.path),
			expected: "fonts and a theme",
		});
	const hasTheme = themeFiles.some(
		({ relativePath, file }) => relativePath === GRUB_THEME && file.inode.byteLength > 0,
	);
	if (themeFiles.length > 0 && !hasTheme)
		findings.choice({
			code: "GRUB_THEME_INCOMPLETE",
			what: "there is no theme.txt in the theme: it is left out",
			where: `${GRUB_ADDITIONS_PATH}/${THEME_DIRECTORY}`,
		});
	const all = [...fonts, ...(hasTheme ? themeFiles : [])];
	const files = all.filter(({ relativePath }) => isPlain(relativePath));
	if (files.length < all.length)
		findings.choice({
			code: "GRUB_ADDITION_SKIPPED",
			what: `${all.length - files.length} files with names that a menu cannot hold are left out`,
			where: displayName(directory.path),
		});
	if (script === "" && files.length === 0) return undefined;
	const parts = [
		...(script === "" ? [] : ["a script"]),
		...(fonts.length === 0 ? [] : [fonts.length === 1 ? "a font" : `${fonts.length} fonts`]),
		...(hasTheme ? ["a theme"] : []),
	];
	findings.choice({
		code: "GRUB_ADDITIONS",
		what: `the image adds ${parts.join(", ")} to GRUB's menus`,
		where: displayName(directory.path),
	});
	return { script, files, hasTheme };
}

function isPlain(name: ByteString): boolean {
	const text = utf8TextOf(name);
	return text !== undefined && !/\p{Cc}/u.test(text);
}

async function readScript(tree: ImageTree, findings: Findings): Promise<string> {
	const file = findFile(tree, SCRIPT_PATH);
	if (file === undefined) return "";
	const wrong = (what: string): string => {
		const expected = `a GRUB script of at most ${MAX_SCRIPT_BYTES} bytes in UTF-8`;
		findings.problem({
			code: "GRUB_SCRIPT_INVALID",
			what: `the text for GRUB's menus ${what}`,
			where: SCRIPT_PATH,
			expected,
		});
		return "";
	};
	if (file.inode.byteLength > MAX_SCRIPT_BYTES) return wrong(`has ${file.inode.byteLength} bytes`);
	const bytes = byteStringOf(await tree.read(file.inode, MAX_SCRIPT_BYTES));
	const text = utf8TextOf(bytes)
		?.replace(/^\uFEFF/, "")
		.replaceAll("\r\n", "\n");
	if (text === undefined || text.includes("\0")) return wrong("is no text in UTF-8");
	const [problem] = readGrubScript(bytes).problems;
	if (problem !== undefined) return wrong(`is no GRUB script: ${problem}`);
	return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
