import { type ByteString, byteStringFromText, compareByteStrings, displayName } from "../binary/byte-string.ts";
import { Turns } from "../binary/turns.ts";
import { MiB } from "../binary/units.ts";
import { type FileStretch, readUnifiedKernel } from "../boot/linux/unified-kernel.ts";
import { InitramfsArguments } from "../boot/live-root/argument-lookup.ts";
import type { Machine } from "../boot/machines.ts";
import type { Findings } from "../findings/findings.ts";
import { foreignProgram } from "../formats/pe/pe-layout.ts";
import { type ImageTree, partOf } from "../tree/image-tree.ts";
import type { FileInode } from "../tree/inode.ts";
import type { FoundFile, UnifiedKernelFile } from "./contract.ts";
import { findDirectory, findFile, namesIn } from "./image-files.ts";
import { parseOsRelease } from "./os-release.ts";

/** Beside directories of kernels: of Boot Loader Specification's `EFI/Linux`, where the boot or the EFI system partition is mounted. */
const PLACES = ["/boot/EFI/Linux", "/boot/efi/EFI/Linux", "/efi/EFI/Linux"];
const SUFFIX = ".efi";
const MAX_UNIFIED_KERNELS = 16;
const MAX_UNIFIED_KERNEL_BYTES = 512 * MiB;
const MAX_DIRECTORIES = 1000;
/** What every reader of FAT and ISO 9660 takes. */
const PLAIN_NAME = /^[A-Za-z0-9_][A-Za-z0-9._~+-]{0,80}$/;
/** Ends the name of a file that systemd-boot renames to count attempts, as those of a medium cannot be. */
const COUNTER = /\+[0-9]{1,9}(-[0-9]{1,9})?$/;
const WHAT_IT_IS = "a unified kernel image";

/** An image's, before it is known whether they are for media. */
export interface FoundUnifiedKernel extends UnifiedKernelFile {
	/** The directory of modules that it lies in; undefined where it lies elsewhere. */
	readonly version: ByteString | undefined;
}

/** Unified kernel images of the machine, in byte order of their paths, those beside modules first. */
export async function findUnifiedKernels(
	tree: ImageTree,
	machine: Machine,
	moduleDirectories: readonly ByteString[],
	findings: Findings,
): Promise<readonly FoundUnifiedKernel[]> {
	const found: FoundUnifiedKernel[] = [];
	const seen = new Set<FileInode>();
	const names = new Set<string>();
	const turns = new Turns();
	const versions = moduleDirectories.flatMap((root) =>
		namesIn(findDirectory(tree, root))
			.slice(0, MAX_DIRECTORIES)
			.map((version) => ({ directory: `${root}/${version}`, version })),
	);
	for (const { directory, version } of [
		...versions,
		...PLACES.map((place) => ({ directory: place, version: undefined })),
	]) {
		if (turns.areDue()) await turns.next();
		for (const name of namesIn(findDirectory(tree, directory)).filter((each) => /(?<!\.addon)\.efi$/i.test(each))) {
			const file = findFile(tree, `${directory}/${name}`);
			if (file === undefined || seen.has(file.inode)) continue;
			seen.add(file.inode);
			if (seen.size > MAX_UNIFIED_KERNELS) {
				findings.choice({
					code: "UNIFIED_KERNELS_LIMIT",
					what: `the image has more than ${MAX_UNIFIED_KERNELS} files of that kind: the others were not looked at`,
					where: displayName(directory),
				});
				return found;
			}
			const kernel = await readOne(tree, file, machine, findings);
			if (kernel === undefined) continue;
			const own = name.slice(0, -SUFFIX.length).replace(COUNTER, "");
			let stem = PLAIN_NAME.test(own) ? own : "linux";
			for (let number = 2; names.has(stem.toLowerCase()); number++)
				stem = `${stem.replace(/-[0-9]{1,2}$/, "")}-${number}`;
			names.add(stem.toLowerCase());
			found.push({ ...kernel, name: `${stem}${SUFFIX}`, version });
		}
	}
	return found;
}

async function readOne(
	tree: ImageTree,
	file: FoundFile,
	machine: Machine,
	findings: Findings,
): Promise<Omit<UnifiedKernelFile, "name"> | undefined> {
	const where = displayName(file.path);
	const { byteLength } = file.inode;
	const read =
		byteLength > MAX_UNIFIED_KERNEL_BYTES
			? `it has ${byteLength} bytes`
			: await readUnifiedKernel({
					byteLength,
					read: (at, length) => tree.read(partOf(file.inode, at, length), length),
				});
	if (read === undefined) return undefined;
	const other = foreignProgram(read, machine.peMachine);
	if (typeof read === "string" || other !== undefined) {
		const what = `it is no unified kernel image for ${machine.name}, and is left out: ${other}`;
		return void findings.choice({ code: "UNIFIED_KERNEL_UNUSABLE", what, where });
	}
	const values = parseOsRelease(read.osRelease);
	const name = values.get("PRETTY_NAME") || values.get("NAME") || values.get("ID") || "Linux";
	const section = (title: string, { offset, byteLength: length }: FileStretch): FoundFile => ({
		path: `${file.path}:${title}`,
		inode: partOf(file.inode, offset, length),
	});
	return {
		file,
		title: `${name}${read.release === undefined ? "" : ` (${read.release})`}`
			.replace(/[\p{Cc}\p{Cs}]/gu, " ")
			.slice(0, 200),
		commandLine: read.commandLine,
		release: read.release === undefined ? undefined : byteStringFromText(read.release),
		linux: section(".linux", read.linux),
		initrd: read.initrd && section(".initrd", read.initrd),
	};
}

/** Of the kernel in a directory of modules: one that lies there, or says that it is that kernel's. */
export function unifiedKernelOf(
	kernels: readonly FoundUnifiedKernel[],
	version: ByteString,
	isOnly: boolean,
): FoundUnifiedKernel | undefined {
	const of = (matches: (kernel: FoundUnifiedKernel) => boolean): FoundUnifiedKernel | undefined =>
		[...kernels].sort((a, b) => compareByteStrings(a.file.path, b.file.path)).find(matches);
	return (
		of((kernel) => kernel.version === version) ??
		of(({ release }) => release === version) ??
		(isOnly ? of((kernel) => kernel.release === undefined && kernel.version === undefined) : undefined)
	);
}

/** Those that go on media: whose command line, which is part of them and which nobody changes, asks for a live root. */
export function chooseUnifiedKernels(
	found: readonly FoundUnifiedKernel[],
	findings: Findings,
): readonly UnifiedKernelFile[] {
	return found.filter(({ file, commandLine }) => {
		const where = displayName(file.path);
		const isLive = asksForLiveRoot(commandLine);
		if (isLive)
			findings.choice({
				code: "UNIFIED_KERNEL",
				what: `${WHAT_IT_IS} is on the medium with an entry of its own, for UEFI; its command line is part of it`,
				where,
			});
		else
			findings.choice({
				code: "UNIFIED_KERNEL_NOT_LIVE",
				what: `${WHAT_IT_IS} is left out: its command line does not ask for a live root: ${JSON.stringify(commandLine.slice(0, 200))}`,
				where,
				remedy: "make one whose command line has root=live:CDLABEL= and the medium's label for it to be there",
			});
		return isLive;
	});
}

function asksForLiveRoot(commandLine: string): boolean {
	const args = new InitramfsArguments([commandLine]);
	const root = args.value("root");
	return (
		root === "live" ||
		root?.startsWith("live:") === true ||
		args.value("boot") === "live" ||
		args.value("inst.stage2") !== undefined
	);
}
