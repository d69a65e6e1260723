import type { AlsoSystem } from "../contract/also.ts";
import type { Contract, KernelFiles } from "../contract/contract.ts";
import type { FileInode } from "../tree/inode.ts";
import { type BootFile, contentKeyOf } from "./boot-files.ts";
import { alsoPaths } from "./iso-paths.ts";

/** Kernel and initramfs of each further system. What another system on the medium has too is stored once: `digestOf` says what a file's bytes are, of the system with this number (the first has 0). */
export async function alsoFiles(
	first: Contract,
	also: readonly AlsoSystem[],
	digestOf: (file: FileInode, system: number) => Promise<string>,
): Promise<BootFile[]> {
	if (also.length === 0) return [];
	const keys = new Map<string, string>();
	const keyOf = async (inode: FileInode, system: number): Promise<string> => {
		const digest = await digestOf(inode, system);
		const known = keys.get(digest) ?? (system === 0 ? contentKeyOf(inode) : `also ${system} ${contentKeyOf(inode)}`);
		keys.set(digest, known);
		return known;
	};
	for (const kernel of [first.kernel, ...first.furtherKernels])
		for (const { inode } of filesOf(kernel)) await keyOf(inode, 0);
	const files: BootFile[] = [];
	for (const [i, { name, contract }] of also.entries()) {
		const paths = alsoPaths(name);
		const places = [paths.kernel, paths.initramfs];
		for (const [at, file] of filesOf(contract.kernel).entries()) {
			const contentKey = await keyOf(file.inode, i + 1);
			files.push({ iso: places[at], esp: undefined, content: { kind: "image", file, contentKey } });
		}
	}
	return files;
}

function filesOf({ vmlinuz, initramfs }: KernelFiles) {
	return [vmlinuz, initramfs];
}
