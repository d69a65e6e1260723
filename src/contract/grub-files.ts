import { displayName } from "../binary/byte-string.ts";
import type { GrubPlatform } from "../boot/machines.ts";
import type { Findings } from "../findings/findings.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import { lookupQuietly } from "../tree/lookup-quietly.ts";
import type { FoundFile, GrubModules } from "./contract.ts";
import { DirectoryCopy } from "./directory-copy.ts";
import { findDirectory, findFile, whyNoFile } from "./image-files.ts";

const UNICODE_FONT_PATHS = [
	"/usr/share/grub/unicode.pf2",
	"/usr/share/grub2/unicode.pf2",
	"/usr/share/grub/fonts/unicode.pf2",
	"/usr/share/grub2/fonts/unicode.pf2",
	"/boot/grub2/fonts/unicode.pf2",
	"/boot/grub/fonts/unicode.pf2",
	"/boot/grub2/unicode.pf2",
	"/boot/grub/unicode.pf2",
];
const BOOT_HYBRID_BYTES = 512;
/** What BIOS boot from a CD and from a disk needs before the first module is loaded. */
const REQUIRED_MODULE_FILES = [
	"boot_hybrid.img",
	"cdboot.img",
	"diskboot.img",
	"kernel.img",
	"lzma_decompress.img",
	"moddep.lst",
	"biosdisk.mod",
	"part_gpt.mod",
	"iso9660.mod",
	"normal.mod",
];

export function chooseUnicodeFont(tree: ImageTree, findings: Findings): FoundFile | undefined {
	const [contractPath = ""] = UNICODE_FONT_PATHS;
	for (const path of UNICODE_FONT_PATHS) {
		const file = findFile(tree, path);
		if (file === undefined) continue;
		if (path !== contractPath) {
			const what = `${contractPath} ${whyNoFile(tree, contractPath)}, this file is used instead`;
			findings.choice({ code: "UNICODE_FONT_FALLBACK", what, where: displayName(file.path) });
		}
		return file;
	}
	return findings.problem({
		code: "UNICODE_FONT_MISSING",
		what: `GRUB's font ${whyNoFile(tree, contractPath)}`,
		where: contractPath,
		expected: "unicode.pf2, which the contract's EFI boot tree includes",
		remedy: "install GRUB's common files (Fedora: grub2-common; Debian: grub-common)",
	});
}

/** Where images have GRUB's files for a platform: the contract's place, SUSE's of today and of before, and what else GRUB is configured with. */
export function grubDirectoriesOf({ name }: GrubPlatform): readonly [string, ...string[]] {
	const others = ["/usr/share/grub2", "/usr/lib/grub2", "/usr/lib64/grub", "/usr/share/grub"];
	return [`/usr/lib/grub/${name}`, ...others.map((path) => `${path}/${name}`)];
}

/** GRUB's directory for BIOS: the first that has what BIOS boot needs, else the first there is, with what it lacks. */
export function findGrubModules(tree: ImageTree, platform: GrubPlatform, findings: Findings): GrubModules | undefined {
	const places = grubDirectoriesOf(platform);
	const [contractPath] = places;
	const isThere = (path: string): boolean => findDirectory(tree, path) !== undefined;
	const modulesPath =
		places.find((path) => isThere(path) && missingIn(tree, path).length === 0) ?? places.find(isThere) ?? contractPath;
	const directory = findDirectory(tree, modulesPath);
	const expected = `the contract: GRUB's modules for BIOS in ${contractPath}`;
	const remedy = `install them in the image (Fedora: grub2-pc-modules; Debian: grub-pc-bin; SUSE: grub2-${platform.name})`;
	if (directory === undefined) {
		const what = `the directory of GRUB's modules ${lookupQuietly(tree, modulesPath) === undefined ? "is missing" : "is no directory"}`;
		return findings.problem({ code: "GRUB_MODULES_MISSING", what, where: modulesPath, expected, remedy });
	}
	if (modulesPath !== contractPath) {
		const what = `${contractPath} ${isThere(contractPath) ? "lacks files" : "is missing"}, this directory is used instead`;
		findings.choice({ code: "GRUB_MODULES_FALLBACK", what, where: displayName(directory.path) });
	}
	const missing = missingIn(tree, modulesPath);
	for (const name of missing) {
		const where = `${modulesPath}/${name}`;
		findings.problem({
			code: "GRUB_MODULE_MISSING",
			what: `${name} ${whyNoFile(tree, where)}`,
			where,
			expected,
			remedy,
		});
	}
	const bootHybrid = findFile(tree, `${modulesPath}/boot_hybrid.img`);
	if (bootHybrid !== undefined && bootHybrid.inode.byteLength !== BOOT_HYBRID_BYTES) {
		findings.problem({
			code: "BOOT_HYBRID_SIZE",
			what: `boot_hybrid.img has ${bootHybrid.inode.byteLength} bytes`,
			where: displayName(bootHybrid.path),
			expected: `the MBR boot code of GRUB, ${BOOT_HYBRID_BYTES} bytes`,
		});
	}
	if (bootHybrid === undefined || missing.length > 0) return undefined;
	const copy = new DirectoryCopy(tree, "GRUB_MODULE_SKIPPED", findings);
	const files = copy.list(directory);
	if (copy.excess !== undefined) {
		return findings.problem({
			code: "GRUB_MODULES_TOO_LARGE",
			what: `the directory of GRUB's modules, links followed, has more than ${copy.excess}`,
			where: displayName(directory.path),
			expected,
		});
	}
	return { path: directory.path, directory: directory.inode, bootHybrid, files };
}

function missingIn(tree: ImageTree, directory: string): string[] {
	return REQUIRED_MODULE_FILES.filter((name) => findFile(tree, `${directory}/${name}`) === undefined);
}
