import { type ByteString, compareByteStrings, displayName } from "../binary/byte-string.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { FoundFile, GrubModuleFile, GrubModules } from "./contract.ts";
import type { Findings } from "./findings.ts";
import { type FoundDirectory, findAny, findDirectory, findFile, namesIn, whyNoFile } from "./image-files.ts";

const UNICODE_FONT_PATHS = [
	"/usr/share/grub/unicode.pf2",
	"/usr/share/grub2/unicode.pf2",
	"/boot/grub2/fonts/unicode.pf2",
	"/boot/grub/fonts/unicode.pf2",
];
const MODULES_PATH = "/usr/lib/grub/i386-pc";
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
const MAX_DEPTH = 8;
const MAX_FILES = 10_000;

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

export function findGrubModules(tree: ImageTree, findings: Findings): GrubModules | undefined {
	const directory = findDirectory(tree, MODULES_PATH);
	const expected = "the contract: GRUB's modules for BIOS in /usr/lib/grub/i386-pc";
	const remedy = "install them in the image (Fedora: grub2-pc-modules; Debian: grub-pc-bin)";
	if (directory === undefined) {
		const what = `the directory of GRUB's modules ${findAny(tree, MODULES_PATH) === undefined ? "is missing" : "is no directory"}`;
		return findings.problem({ code: "GRUB_MODULES_MISSING", what, where: MODULES_PATH, expected, remedy });
	}
	const missing = REQUIRED_MODULE_FILES.filter((name) => findFile(tree, `${MODULES_PATH}/${name}`) === undefined);
	for (const name of missing) {
		const where = `${MODULES_PATH}/${name}`;
		findings.problem({
			code: "GRUB_MODULE_MISSING",
			what: `${name} ${whyNoFile(tree, where)}`,
			where,
			expected,
			remedy,
		});
	}
	const bootHybrid = findFile(tree, `${MODULES_PATH}/boot_hybrid.img`);
	if (bootHybrid !== undefined && bootHybrid.inode.byteLength !== BOOT_HYBRID_BYTES) {
		findings.problem({
			code: "BOOT_HYBRID_SIZE",
			what: `boot_hybrid.img has ${bootHybrid.inode.byteLength} bytes`,
			where: displayName(bootHybrid.path),
			expected: `the MBR boot code of GRUB, ${BOOT_HYBRID_BYTES} bytes`,
		});
	}
	if (bootHybrid === undefined || missing.length > 0) return undefined;
	const files = new DirectoryCopy(tree, findings).list(directory);
	return { path: directory.path, directory: directory.inode, bootHybrid, files };
}

/** Lists a directory as a copy that follows symbolic links would have it; what cannot be copied is left out with a note. */
class DirectoryCopy {
	readonly #tree: ImageTree;
	readonly #findings: Findings;
	readonly #files: GrubModuleFile[] = [];

	constructor(tree: ImageTree, findings: Findings) {
		this.#tree = tree;
		this.#findings = findings;
	}

	list(directory: FoundDirectory): GrubModuleFile[] {
		this.#visit(directory, "", 0);
		return this.#files.sort((a, b) => compareByteStrings(a.relativePath, b.relativePath));
	}

	#visit(directory: FoundDirectory, prefix: ByteString, depth: number): void {
		for (const name of namesIn(directory)) {
			const path = `${directory.path}/${name}`;
			const found = findAny(this.#tree, path);
			const relativePath = prefix + name;
			if (found?.inode.type === "file") {
				if (this.#files.length === MAX_FILES) this.#skip(path, `more than ${MAX_FILES} files`);
				else this.#files.push({ relativePath, file: { path: found.path, inode: found.inode } });
			} else if (found?.inode.type === "directory") {
				if (depth === MAX_DEPTH) this.#skip(path, `directories nested more than ${MAX_DEPTH} deep`);
				else this.#visit({ path: found.path, inode: found.inode }, `${relativePath}/`, depth + 1);
			} else this.#skip(path, found === undefined ? "a link that leads nowhere" : `a ${found.inode.type}`);
		}
	}

	#skip(path: ByteString, reason: string): void {
		if (this.#findings.choices.filter(({ code }) => code === "GRUB_MODULE_SKIPPED").length >= 20) return;
		const what = `not copied to the ISO: ${reason}`;
		this.#findings.choice({ code: "GRUB_MODULE_SKIPPED", what, where: displayName(path) });
	}
}
