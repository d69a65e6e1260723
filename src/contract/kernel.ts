import { type ByteString, byteStringFromText, byteStringOf, displayName } from "../binary/byte-string.ts";
import type { Findings } from "../findings/findings.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { FoundFile, KernelFiles } from "./contract.ts";
import { findDirectory, findFile, findFirstFile, namesIn, whyNoFile } from "./image-files.ts";

const MODULE_DIRECTORIES = ["/usr/lib/modules", "/lib/modules"];
const MAX_FLAVOUR_BYTES = 256;
const MAX_SHOWN = 10;
const HOW_TO_CHOOSE = "pass --kernel VERSION for another one";

interface Candidate {
	readonly version: ByteString;
	readonly directory: ByteString;
	readonly vmlinuz: FoundFile;
	readonly initramfs: FoundFile | undefined;
	/** The kernel is where the contract says. */
	readonly isInModules: boolean;
}

/**
 * The kernel and its initramfs: the first directory of /usr/lib/modules, in byte order, that has a `vmlinuz`; failing that,
 * one of /boot that is named after that directory, or, where there is only one such directory, after its flavour or after nothing. The initramfs is
 * looked for likewise. A kernel without an initramfs yields to one that has both.
 */
export async function chooseKernel(
	tree: ImageTree,
	wanted: string | undefined,
	findings: Findings,
): Promise<KernelFiles | undefined> {
	const root = MODULE_DIRECTORIES.find((path) => findDirectory(tree, path) !== undefined);
	const candidates = root === undefined ? [] : await candidatesIn(tree, root, wanted);
	const chosen = candidates.find(({ initramfs }) => initramfs !== undefined) ?? candidates[0];
	if (chosen === undefined) return reportNoKernel(tree, root, wanted, findings);
	const { version, directory, vmlinuz, initramfs } = chosen;
	const shown = displayName(version);
	if (initramfs === undefined)
		return findings.problem({
			code: "INITRAMFS_MISSING",
			what: `the initramfs of kernel ${shown} ${whyNoFile(tree, `${directory}/initramfs.img`)}`,
			where: displayName(`${directory}/initramfs.img`),
			expected: "the contract: an initramfs in initramfs.img beside the kernel's vmlinuz, able to boot a live ISO",
			remedy: "build it in the image, for example with dracut and its dmsquash-live module",
		});
	if (wanted === undefined && candidates.length > 1) {
		const all = candidates.slice(0, MAX_SHOWN).map((candidate) => displayName(candidate.version));
		if (candidates.length > MAX_SHOWN) all.push("…");
		const skipped =
			candidates[0] === chosen ? "the first in byte order" : "the first in byte order that has an initramfs";
		const what = `${candidates.length} kernels found (${all.join(", ")}), took ${shown}, ${skipped}`;
		findings.choice({ code: "KERNEL_CHOICE", what, where: displayName(directory), remedy: HOW_TO_CHOOSE });
	}
	noteFallback(vmlinuz, `${directory}/vmlinuz`, tree, findings);
	noteFallback(initramfs, `${directory}/initramfs.img`, tree, findings);
	return { version, vmlinuz, initramfs };
}

async function candidatesIn(tree: ImageTree, root: ByteString, wanted: string | undefined): Promise<Candidate[]> {
	const modules = findDirectory(tree, root);
	const all = namesIn(modules).filter((name) => modules?.inode.entries.get(name)?.type === "directory");
	const versions = wanted === undefined ? all : [byteStringFromText(wanted)].filter((name) => isComponent(name));
	const candidates: Candidate[] = [];
	for (const version of versions) {
		const directory = `${root}/${version}`;
		if (findDirectory(tree, directory) === undefined) continue;
		const inModules = findFile(tree, `${directory}/vmlinuz`);
		// A name without a version says nothing where there are several.
		const flavours = all.length === 1 ? await flavoursOf(tree, directory, version) : [];
		const vmlinuz = inModules ?? findFirstFile(tree, kernelsInBoot(version, flavours));
		if (vmlinuz === undefined) continue;
		const initramfs =
			findFile(tree, `${directory}/initramfs.img`) ??
			findFirstFile(tree, [`${directory}/initrd`, ...initramfsInBoot(version, flavours)]);
		candidates.push({ version, directory, vmlinuz, initramfs, isInModules: inModules !== undefined });
	}
	const asContract = candidates.filter(({ isInModules }) => isInModules);
	return asContract.length > 0 ? asContract : candidates;
}

/** Of Debian, Fedora, SUSE, elemental and Kairos; then those that name no version. */
function kernelsInBoot(version: ByteString, flavours: readonly ByteString[]): ByteString[] {
	return [version, ...flavours]
		.map((name) => `/boot/vmlinuz-${name}`)
		.concat(flavours.length > 0 ? "/boot/vmlinuz" : []);
}

/** Of Debian, Fedora, and SUSE (with elemental and Kairos); Arch's, Alpine's, and links without a version. */
function initramfsInBoot(version: ByteString, flavours: readonly ByteString[]): ByteString[] {
	return [
		`/boot/initrd.img-${version}`,
		`/boot/initramfs-${version}.img`,
		`/boot/initrd-${version}`,
		`/boot/initramfs-${version}`,
		...flavours.flatMap((name) => [`/boot/initramfs-${name}.img`, `/boot/initramfs-${name}`, `/boot/initrd-${name}`]),
		...(flavours.length > 0 ? ["/boot/initrd", "/boot/initrd.img", "/boot/initramfs.img"] : []),
	];
}

/**
 * What Arch calls a kernel's package (`pkgbase`, such as `linux`), the one name in /boot that is of no version, and the end of the version as Alpine has
 * it (`6.6.1-0-lts`).
 */
async function flavoursOf(tree: ImageTree, directory: ByteString, version: ByteString): Promise<ByteString[]> {
	const file = findFile(tree, `${directory}/pkgbase`);
	const isShort = file !== undefined && file.inode.byteLength <= MAX_FLAVOUR_BYTES;
	const named = isShort ? byteStringOf(await tree.read(file.inode, MAX_FLAVOUR_BYTES)).trim() : "";
	const inBoot = namesIn(findDirectory(tree, "/boot")).filter(
		(name) => name.startsWith("vmlinuz-") && name !== `vmlinuz-${version}`,
	);
	const only = inBoot.length === 1 ? (inBoot[0] ?? "").slice("vmlinuz-".length) : "";
	return [named, only, version.slice(version.lastIndexOf("-") + 1)].filter((name) => isComponent(name));
}

function isComponent(name: ByteString): boolean {
	return name !== "" && name !== "." && name !== ".." && !name.includes("/") && !name.includes("\0");
}

function noteFallback(file: FoundFile, expectedPath: ByteString, tree: ImageTree, findings: Findings): void {
	if (findFile(tree, expectedPath)?.inode === file.inode) return;
	findings.choice({
		code: "KERNEL_FALLBACK",
		what: `${displayName(expectedPath)} ${whyNoFile(tree, expectedPath)}, this file is used instead`,
		where: displayName(file.path),
	});
}

function reportNoKernel(
	tree: ImageTree,
	root: ByteString | undefined,
	wanted: string | undefined,
	findings: Findings,
): undefined {
	const where = MODULE_DIRECTORIES[0];
	const versions = root === undefined ? [] : namesIn(findDirectory(tree, root)).map(displayName);
	const listed = versions.length === 0 ? "" : `: it has ${versions.slice(0, MAX_SHOWN).join(", ")}`;
	findings.problem({
		code: "KERNEL_MISSING",
		what:
			wanted === undefined
				? `no directory in ${where} has a kernel${listed}`
				: `there is no kernel ${JSON.stringify(wanted)} in ${where}${listed}`,
		where: wanted === undefined ? `${where}/*/vmlinuz` : "--kernel",
		expected: "the contract: a kernel in /usr/lib/modules/VERSION/vmlinuz",
		remedy: wanted === undefined ? "install a kernel in the image" : "pass a --kernel that the image has",
	});
}
