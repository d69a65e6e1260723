import { type ByteString, byteStringFromText, displayName } from "../binary/byte-string.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { FoundFile, KernelFiles } from "./contract.ts";
import type { Findings } from "./findings.ts";
import { findDirectory, findFile, findFirstFile, namesIn, whyNoFile } from "./image-files.ts";

const MODULE_DIRECTORIES = ["/usr/lib/modules", "/lib/modules"];
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
 * `/boot/vmlinuz-VERSION` as Debian has it. A kernel without an initramfs yields to one that has both.
 */
export function chooseKernel(tree: ImageTree, wanted: string | undefined, findings: Findings): KernelFiles | undefined {
	const root = MODULE_DIRECTORIES.find((path) => findDirectory(tree, path) !== undefined);
	const candidates = root === undefined ? [] : candidatesIn(tree, root, wanted);
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
		const all = candidates.map((candidate) => displayName(candidate.version)).join(", ");
		const skipped =
			candidates[0] === chosen ? "the first in byte order" : "the first in byte order that has an initramfs";
		const what = `${candidates.length} kernels found (${all}), took ${shown}, ${skipped}`;
		findings.choice({ code: "KERNEL_CHOICE", what, where: displayName(directory), remedy: HOW_TO_CHOOSE });
	}
	noteFallback(vmlinuz, `${directory}/vmlinuz`, tree, findings);
	noteFallback(initramfs, `${directory}/initramfs.img`, tree, findings);
	return { version, vmlinuz, initramfs };
}

function candidatesIn(tree: ImageTree, root: ByteString, wanted: string | undefined): Candidate[] {
	const modules = findDirectory(tree, root);
	const versions =
		wanted === undefined
			? namesIn(modules).filter((name) => modules?.inode.entries.get(name)?.type === "directory")
			: [byteStringFromText(wanted)].filter((name) => isComponent(name));
	const candidates = versions.flatMap((version): Candidate[] => {
		const directory = `${root}/${version}`;
		if (findDirectory(tree, directory) === undefined) return [];
		const inModules = findFile(tree, `${directory}/vmlinuz`);
		const vmlinuz = inModules ?? findFile(tree, `/boot/vmlinuz-${version}`);
		if (vmlinuz === undefined) return [];
		const initramfs = findFirstFile(tree, [
			`${directory}/initramfs.img`,
			`/boot/initrd.img-${version}`,
			`/boot/initramfs-${version}.img`,
		]);
		return [{ version, directory, vmlinuz, initramfs, isInModules: inModules !== undefined }];
	});
	const asContract = candidates.filter(({ isInModules }) => isInModules);
	return asContract.length > 0 ? asContract : candidates;
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
	const listed = versions.length === 0 ? "" : `: it has ${versions.slice(0, 10).join(", ")}`;
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
