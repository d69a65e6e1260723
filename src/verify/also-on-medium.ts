import type { ByteSource } from "../binary/byte-source.ts";
import { displayName } from "../binary/byte-string.ts";
import { alsoPaths } from "../boot/iso-paths.ts";
import { type AlsoSystem, readAlso } from "../contract/also.ts";
import type { Contract } from "../contract/contract.ts";
import type { Findings } from "../findings/findings.ts";
import type { Volume } from "../formats/iso9660/volume.ts";
import type { FurtherImage } from "../medium/further-image.ts";
import { type ImageTree, readingFrom } from "../tree/image-tree.ts";
import type { DirectoryInode, FileInode } from "../tree/inode.ts";
import { digestOfStream } from "./content-digest.ts";
import { supportAt } from "./live-root-check.ts";
import { type MediumContents, mediumTree, type PackedContents } from "./medium-tree.ts";

/** A further system's image before anything was left out, and its root file system on the medium. */
export interface AlsoOnMedium {
	readonly name: string;
	readonly root: DirectoryInode;
	digestOf(file: FileInode): string | undefined;
	readonly packed: PackedContents;
}

interface FoundAlso {
	readonly systems: readonly AlsoSystem[];
	/** Of their kernels and initramfs. */
	readonly digests: ReadonlyMap<FileInode, string>;
	/** The tree of the first system's image, which reads these files from theirs. */
	over(tree: ImageTree): ImageTree;
}

/** What the images of further systems say of them, as the build read it. Throws as `readAlso`. */
export async function findAlso(
	medium: { readonly source: ByteSource; readonly volume: Volume; readonly contents: MediumContents },
	first: Contract,
	given: readonly AlsoOnMedium[],
	signal: AbortSignal | undefined,
): Promise<FoundAlso> {
	const { source, volume, contents } = medium;
	const systems: AlsoSystem[] = [];
	const digests = new Map<FileInode, string>();
	const trees: (readonly [ImageTree, ReadonlySet<FileInode>])[] = [];
	for (const { name, root, digestOf, packed } of given) {
		const tree = mediumTree(root, digestOf, { ...contents, packed }, signal);
		const support = await supportAt(
			{ source, medium: source, firstBlock: 0, root: volume.root },
			alsoPaths(name).initramfs,
		);
		const asked = { architecture: first.machine.ociArchitecture, liveSupportOf: async () => support };
		const system = await readAlso(name, tree, first, asked);
		const { vmlinuz, initramfs } = system.contract.kernel;
		const inodes = [vmlinuz.inode, initramfs.inode];
		for (const inode of inodes) {
			const digest = inode.part === undefined ? digestOf(inode) : await digestOfStream(tree, inode);
			if (digest !== undefined) digests.set(inode, digest);
		}
		systems.push(system);
		trees.push([tree, new Set(inodes)]);
	}
	const over = (tree: ImageTree): ImageTree =>
		trees.reduce((all, [other, files]) => readingFrom(all, other, files), tree);
	return { systems, digests, over };
}

/** A system that nobody gave an image for cannot be made again. */
export function requireImages(
	images: readonly FurtherImage[],
	given: readonly AlsoOnMedium[],
	findings: Findings,
): void {
	const paths = given.map(({ name }) => alsoPaths(name).root);
	for (const { path } of images)
		if (!paths.includes(path))
			findings.fault(
				"no image is given that it could be made of",
				`/${displayName(path)}`,
				"--also NAME=IMAGE with it",
			);
}

/** Of a further system, by the path of its root file system. */
export function systemNameAt(path: string): string {
	return displayName(path).replace(/^.*\/|\.img$/g, "");
}
