import {
	type ByteString,
	byteStringFromText,
	byteStringOf,
	compareByteStrings,
	displayName,
	utf8TextOf,
} from "../binary/byte-string.ts";
import { Turns } from "../binary/turns.ts";
import { TAKEN_KERNEL_NAMES } from "../boot/iso-paths.ts";
import type { Findings } from "../findings/findings.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { FoundFile, KernelFiles } from "./contract.ts";
import { findDirectory, findFile, findFirstFile, namesIn, whyNoFile } from "./image-files.ts";
import { type FoundUnifiedKernel, unifiedKernelOf } from "./unified-kernels.ts";

/** Where images have a directory for each kernel; the contract's comes first. */
export const MODULE_DIRECTORIES = ["/usr/lib/modules", "/lib/modules"];
/** Before a version or a flavour; the last two are Gentoo's and those of machines with `Image` kernels. */
const KERNELS = ["/boot/vmlinuz", "/boot/kernel", "/boot/Image"];
/** Of kernels and initramfs that no name says the version of, as Kairos has them. */
const NAMELESS_KERNELS = ["/boot/vmlinuz", "/boot/Image"];
const NAMELESS_INITRAMFS = ["/boot/initrd", "/boot/initrd.img", "/boot/initramfs.img", "/boot/initrd.gz"];
/** Flavours are read of so many; nobody keeps more kernels. */
const MAX_FLAVOURED_VERSIONS = 64;
const MAX_FLAVOUR_BYTES = 256;
const MAX_SHOWN = 10;
const HOW_TO_CHOOSE = "pass --kernel VERSION for another one, --kernel all for all of them";
/** On one medium. */
const MAX_KERNELS = 32;
/** Of further kernels, whose versions are names on the medium and words in its menu. FAT takes no dot at a name's end. */
const PLAIN_VERSION = /^[A-Za-z0-9_][A-Za-z0-9._+~-]*$(?<!\.)/;

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
 * one of /boot that is named after that directory or, as far as that tells directories apart, after its flavour or after nothing. The initramfs is
 * looked for likewise; what is nowhere else is a section of a unified kernel image of that version. A kernel without an initramfs yields to one that has both.
 */
export async function chooseKernel(
	tree: ImageTree,
	wanted: ByteString | undefined,
	unified: readonly FoundUnifiedKernel[],
	findings: Findings,
): Promise<KernelFiles | undefined> {
	const candidates = await candidatesOf(tree, wanted, unified);
	const chosen = candidates.find(({ initramfs }) => initramfs !== undefined) ?? candidates[0];
	if (chosen === undefined) return reportNoKernel(tree, wanted, findings);
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

/** What `--kernel` asks for: one kernel as `chooseKernel`, those that it names, or `all` that have an initramfs. The first has the contract's place on the medium, the others follow in byte order. */
export async function chooseKernels(
	tree: ImageTree,
	wanted: string | undefined,
	unified: readonly FoundUnifiedKernel[],
	findings: Findings,
): Promise<readonly [KernelFiles, ...KernelFiles[]] | undefined> {
	const names =
		wanted === "all" ? await bootableVersions(tree, unified, findings) : wanted?.split(",").map(byteStringFromText);
	const chosen: KernelFiles[] = [];
	for (const name of new Set(
		names === undefined || names.length === 0 ? [undefined] : names.slice(0, MAX_KERNELS + 1),
	)) {
		const kernel = await chooseKernel(tree, name, unified, findings);
		if (kernel === undefined) return undefined;
		chosen.push(kernel);
	}
	const [first, ...further] = chosen;
	if (first === undefined) return undefined;
	const odd = oddVersionAmong(first, further);
	if (odd !== undefined)
		return findings.problem({
			code: "KERNEL_VERSION_ODD",
			what: `the kernel ${displayName(odd.version)} cannot be one of several`,
			where: "--kernel",
			expected: `versions of letters, digits and . _ + ~ -, that differ in more than case and are not ${TAKEN_KERNEL_NAMES.join(", ")}`,
			remedy: "pass the versions of others to --kernel",
		});
	if (chosen.length > MAX_KERNELS)
		return findings.problem({
			code: "KERNELS_TOO_MANY",
			what: `more than ${MAX_KERNELS} kernels are asked for`,
			where: "--kernel",
			expected: `at most ${MAX_KERNELS} on one medium`,
		});
	return [first, ...further.sort((a, b) => compareByteStrings(a.version, b.version))];
}

/** The first kernel has no directory on the medium, but all are told apart by their versions. */
function oddVersionAmong(first: KernelFiles, further: readonly KernelFiles[]): KernelFiles | undefined {
	if (further.length === 0) return undefined;
	if (utf8TextOf(first.version) === undefined || first.version.includes(",")) return first;
	const taken = new Set(TAKEN_KERNEL_NAMES);
	return further.find(({ version }) => {
		const name = version.toLowerCase();
		if (!PLAIN_VERSION.test(version) || taken.has(name)) return true;
		taken.add(name);
		return false;
	});
}

async function bootableVersions(
	tree: ImageTree,
	unified: readonly FoundUnifiedKernel[],
	findings: Findings,
): Promise<ByteString[]> {
	const candidates = await candidatesOf(tree, undefined, unified);
	const bootable = candidates.filter(({ initramfs }) => initramfs !== undefined);
	if (bootable.length > 0 && bootable.length < candidates.length) {
		const others = candidates.filter(({ initramfs }) => initramfs === undefined).slice(0, MAX_SHOWN);
		const versions = others.map(({ version }) => displayName(version)).join(", ");
		findings.choice({ code: "KERNEL_WITHOUT_INITRAMFS", what: `no initramfs is there for ${versions}: left out` });
	}
	return bootable.map(({ version }) => version);
}

/** Of the first directory of modules that has kernels: without a merged /usr there may be two. */
async function candidatesOf(
	tree: ImageTree,
	wanted: ByteString | undefined,
	unified: readonly FoundUnifiedKernel[],
): Promise<readonly Candidate[]> {
	for (const root of MODULE_DIRECTORIES) {
		const candidates = await candidatesIn(tree, root, wanted, unified);
		if (candidates.length > 0) return candidates;
	}
	return [];
}

async function candidatesIn(
	tree: ImageTree,
	root: ByteString,
	wanted: ByteString | undefined,
	unified: readonly FoundUnifiedKernel[],
): Promise<Candidate[]> {
	const modules = findDirectory(tree, root);
	const present = namesIn(modules);
	const directories = present.filter((name) => modules?.inode.entries.get(name)?.type === "directory");
	// A link beside its directory is a second name for one kernel.
	const all =
		directories.length > 0
			? directories
			: present.filter((name) => findDirectory(tree, `${root}/${name}`) !== undefined);
	const versions = wanted === undefined ? all : [wanted].filter((name) => isComponent(name));
	const flavours = await flavoursOf(tree, root, all);
	const nameless = findFirstFile(tree, NAMELESS_KERNELS);
	const candidates: Candidate[] = [];
	const turns = new Turns();
	for (const version of versions) {
		if (turns.areDue()) await turns.next();
		const directory = `${root}/${version}`;
		if (findDirectory(tree, directory) === undefined) continue;
		const inModules = findFile(tree, `${directory}/vmlinuz`);
		const names = [version, ...(flavours.get(version) ?? [])];
		const named =
			inModules ??
			findFirstFile(tree, [
				`${directory}/Image`,
				...KERNELS.flatMap((kernel) => names.map((name) => `${kernel}-${name}`)),
			]);
		// A name without a version says nothing where there are several, unless it is a link to this one.
		const isOnly = all.length === 1 || wanted !== undefined || (named !== undefined && named.inode === nameless?.inode);
		const inOne = unifiedKernelOf(unified, version, isOnly);
		const vmlinuz = named ?? (isOnly ? nameless : undefined) ?? inOne?.linux;
		if (vmlinuz === undefined) continue;
		const initramfs =
			findFirstFile(tree, [
				`${directory}/initramfs.img`,
				`${directory}/initrd`,
				...names.flatMap(initramfsInBoot),
				...(isOnly ? NAMELESS_INITRAMFS : []),
			]) ?? inOne?.initrd;
		candidates.push({ version, directory, vmlinuz, initramfs, isInModules: inModules !== undefined });
	}
	const asContract = candidates.filter(({ isInModules }) => isInModules);
	return asContract.length > 0 ? asContract : candidates;
}

/** Debian's, Fedora's and Mageia's, SUSE's (with elemental and Kairos), Arch's, Alpine's. */
function initramfsInBoot(name: ByteString): ByteString[] {
	return [
		`/boot/initrd.img-${name}`,
		`/boot/initramfs-${name}.img`,
		`/boot/initrd-${name}.img`,
		`/boot/initrd-${name}`,
		`/boot/initramfs-${name}`,
	];
}

/**
 * By version, names in /boot that stand for it, as long as they stand for no other: what Arch calls a kernel's package (`pkgbase`, such as `linux`), the end
 * of the version as Alpine has it (`6.6.1-0-lts`), and for the only version there is the only name of a kernel.
 */
async function flavoursOf(
	tree: ImageTree,
	root: ByteString,
	versions: readonly ByteString[],
): Promise<ReadonlyMap<ByteString, readonly ByteString[]>> {
	if (versions.length > MAX_FLAVOURED_VERSIONS) return new Map();
	const inBoot = namesIn(findDirectory(tree, "/boot")).filter((name) => name.startsWith("vmlinuz-"));
	const only = versions.length === 1 && inBoot.length === 1 ? (inBoot[0] ?? "").slice("vmlinuz-".length) : "";
	const flavours = new Map<ByteString, readonly ByteString[]>();
	const uses = new Map<ByteString, number>();
	for (const version of versions) {
		const file = findFile(tree, `${root}/${version}/pkgbase`);
		const isShort = file !== undefined && file.inode.byteLength <= MAX_FLAVOUR_BYTES;
		const named = isShort ? byteStringOf(await tree.read(file.inode, MAX_FLAVOUR_BYTES)).trim() : "";
		const own = new Set([named, only, version.slice(version.lastIndexOf("-") + 1)].filter((name) => isComponent(name)));
		for (const name of own) uses.set(name, (uses.get(name) ?? 0) + 1);
		flavours.set(version, [...own]);
	}
	for (const [version, own] of flavours)
		flavours.set(
			version,
			own.filter((name) => uses.get(name) === 1),
		);
	return flavours;
}

function isComponent(name: ByteString): boolean {
	return name !== "" && name !== "." && name !== ".." && !name.includes("/") && !name.includes("\0");
}

function noteFallback(file: FoundFile, expectedPath: ByteString, tree: ImageTree, findings: Findings): void {
	if (findFile(tree, expectedPath)?.inode === file.inode) return;
	findings.choice({
		code: "KERNEL_FALLBACK",
		what: `${displayName(expectedPath)} ${whyNoFile(tree, expectedPath)}, this ${file.inode.part === undefined ? "file" : "section of a unified kernel image"} is used instead`,
		where: displayName(file.path),
	});
}

function reportNoKernel(tree: ImageTree, wanted: ByteString | undefined, findings: Findings): undefined {
	const where = MODULE_DIRECTORIES[0];
	const root = MODULE_DIRECTORIES.find((path) => namesIn(findDirectory(tree, path)).length > 0);
	const versions = root === undefined ? [] : namesIn(findDirectory(tree, root)).slice(0, MAX_SHOWN);
	const listed = versions.length === 0 ? "" : `: it has ${versions.map(displayName).join(", ")}`;
	const unusable = versions
		.flatMap((version) => [`${root}/${version}/vmlinuz`, `${KERNELS[0]}-${version}`])
		.map((path) => ({ path, why: whyNoFile(tree, path) }))
		.find(({ path, why }) => why !== "is missing" && findFile(tree, path) === undefined);
	const told = unusable === undefined ? "" : `; ${displayName(unusable.path)} ${unusable.why}`;
	const nameless = findFirstFile(tree, NAMELESS_KERNELS);
	const isUnclear = wanted === undefined && versions.length > 0 && nameless !== undefined;
	findings.problem({
		code: "KERNEL_MISSING",
		what:
			wanted === undefined
				? `no directory in ${where} has a kernel${listed}${told}${isUnclear ? `; ${displayName(nameless.path)} does not say which of them it is of` : ""}`
				: `there is no kernel ${JSON.stringify(displayName(wanted))} in ${where}${listed}${told}`,
		where: wanted === undefined ? `${where}/*/vmlinuz` : "--kernel",
		expected: "the contract: a kernel in /usr/lib/modules/VERSION/vmlinuz",
		remedy:
			wanted !== undefined
				? "pass a --kernel that the image has"
				: isUnclear
					? "pass --kernel VERSION, or install the kernel there"
					: "install a kernel in the image",
	});
}
