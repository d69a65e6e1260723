import type { ByteString } from "../../binary/byte-string.ts";
import { divideCeil, ISO_BLOCK_BYTES } from "../../binary/units.ts";
import { assert, type Problem } from "../../errors.ts";
import { checkTree } from "./check-tree.ts";
import { type DirectoryTree, encodeDirectoryTree, placeDirectoryTree, type Table } from "./directory-tree.ts";
import { depthFirst, nameHierarchy } from "./hierarchy.ts";
import { jolietNaming, primaryNaming } from "./identifiers.ts";
import type { IsoDirectory, IsoFile, IsoNode } from "./tree.ts";

export interface VolumeOptions {
	/** 1 to 32 bytes, kept as they are; Joliet's copy is cut at 16 characters. */
	readonly volumeIdentifier: ByteString;
	/** At most 32 ASCII characters. */
	readonly systemIdentifier: string;
	/** At most 128 ASCII characters each. */
	readonly preparer: string;
	readonly publisher?: string | undefined;
	readonly application?: string | undefined;
	/** Creation and modification of the volume, seconds since 1970, years 1900 to 2155. */
	readonly timestampSeconds: number;
	/** Everything the plan places lies at or after this block. */
	readonly firstFreeBlock: number;
	/** 16 adds the second set of descriptors and trees, for the volume that starts at block 16; 0 does not. */
	readonly partitionOffsetBlocks: 0 | 16;
	/** Bodies without a name in the tree, placed before all other files. */
	readonly hiddenFiles: readonly HiddenFile[];
}

interface HiddenFile {
	readonly contentKey: string;
	readonly byteLength: number;
}

/** A body to be filled in by the caller. */
interface FileBody {
	readonly contentKey: string;
	/** Block of the whole image. The body is contiguous, whatever its length. */
	readonly block: number;
	readonly byteLength: number;
	/** True where the caller had fixed the block, so that the body is already there. */
	readonly fixed: boolean;
	/** The paths that show it; empty for hidden files. */
	readonly paths: readonly ByteString[];
}

/** What lies where; a plain value apart from the tables' bytes. */
export interface VolumePlan {
	readonly options: VolumeOptions;
	/** Path tables and directories of every tree, in order of their blocks. */
	readonly tables: readonly Table[];
	/** In order of placement, hidden files first. */
	readonly files: readonly FileBody[];
	readonly trees: {
		readonly primary: DirectoryTree;
		readonly joliet: DirectoryTree;
		readonly secondPrimary: DirectoryTree | undefined;
		readonly secondJoliet: DirectoryTree | undefined;
	};
	/** First block after the volume's last one. */
	readonly endBlock: number;
	/** What could not be kept exactly: clamped times, symbolic links that Joliet cannot show. */
	readonly notices: readonly Problem[];
}

/**
 * Places every directory and file of `root`. Pure; writes nothing. Directories deeper than ECMA-119's eight levels stay where they
 * are (no relocation), as xorriso leaves them. Body order is that of the primary tree, directory by directory.
 * Throws `Oci2isoError` where the tree or the options cannot be said in ISO 9660.
 */
export function planVolume(root: IsoDirectory, options: VolumeOptions): VolumePlan {
	const notices = checkTree(root, options);
	const primaryRoot = nameHierarchy(root, primaryNaming, () => true);
	const jolietRoot = nameHierarchy(root, jolietNaming, (node) => node.type !== "symlink");
	const linkCounts = countLinks(root);
	const linksOf = (node: IsoNode): number => linkCounts.get(node) ?? 1;

	let block = options.firstFreeBlock;
	const place = (name: string, joliet: boolean, baseBlock: number): DirectoryTree => {
		const hierarchy = joliet ? jolietRoot : primaryRoot;
		const tree = placeDirectoryTree(hierarchy, { name, rockRidge: !joliet, baseBlock, firstBlock: block }, linksOf);
		block = tree.endBlock;
		return tree;
	};
	const offset = options.partitionOffsetBlocks;
	const primary = place("primary", false, 0);
	const secondPrimary = offset === 0 ? undefined : place("second primary", false, offset);
	const joliet = place("Joliet", true, 0);
	const secondJoliet = offset === 0 ? undefined : place("second Joliet", true, offset);

	const files: FileBody[] = [];
	const placeBody = (file: HiddenFile, fixedBlock: number | undefined, paths: ByteString[]): void => {
		const { contentKey, byteLength } = file;
		files.push({ contentKey, byteLength, block: fixedBlock ?? block, fixed: fixedBlock !== undefined, paths });
		if (fixedBlock === undefined) block += divideCeil(byteLength, ISO_BLOCK_BYTES);
	};
	for (const hidden of options.hiddenFiles) placeBody(hidden, undefined, []);
	for (const [file, paths] of bodiesInOrder(root)) placeBody(file, file.fixedBlock, paths);
	for (const { fixed, block: first, byteLength, contentKey } of files)
		assert(
			!fixed || first + divideCeil(byteLength, ISO_BLOCK_BYTES) <= options.firstFreeBlock || first >= block,
			`the place of ${contentKey} is needed for something else`,
		);
	// An empty body names a block too, which has to be inside the volume.
	const endOf = (file: FileBody): number => file.block + Math.max(1, divideCeil(file.byteLength, ISO_BLOCK_BYTES));
	const endBlock = files.reduce((end, file) => Math.max(end, endOf(file)), block);

	const blocks = new Map(files.map((file) => [file.contentKey, file.block]));
	const blockOf = (file: IsoFile): number => {
		const found = blocks.get(file.contentKey);
		assert(found !== undefined, `no block for ${file.contentKey}`);
		return found;
	};
	const tables = [primary, secondPrimary, joliet, secondJoliet]
		.filter((tree) => tree !== undefined)
		.flatMap((tree) => encodeDirectoryTree(tree, { linksOf, blockOf }));
	return {
		options,
		tables,
		files,
		trees: { primary, joliet, secondPrimary, secondJoliet },
		endBlock,
		notices,
	};

	function bodiesInOrder(top: IsoDirectory): [IsoFile, ByteString[]][] {
		const bodies = new Map<string, [IsoFile, ByteString[]]>();
		assert(top === primaryRoot.node, "the tree that was named");
		for (const directory of depthFirst(primaryRoot))
			for (const { name, node } of directory.entries) {
				if (node.type !== "file") continue;
				const path = directory.path === "/" ? `/${name}` : `${directory.path}/${name}`;
				const known = bodies.get(node.contentKey);
				if (known === undefined) bodies.set(node.contentKey, [node, [path]]);
				else known[1].push(path);
			}
		return [...bodies.values()];
	}
}

/** Block of the body that `contentKey` names, counted from the start of the image. */
export function blockOfContent(plan: VolumePlan, contentKey: string): number {
	const found = plan.files.find((file) => file.contentKey === contentKey);
	assert(found !== undefined, `no body named ${contentKey}`);
	return found.block;
}

/** Names per file object: shared objects are hard links. */
function countLinks(root: IsoDirectory): Map<IsoNode, number> {
	const counts = new Map<IsoNode, number>();
	const pending: IsoDirectory[] = [root];
	for (let next = pending.pop(); next !== undefined; next = pending.pop())
		for (const child of next.entries.values())
			if (child.type === "directory") pending.push(child);
			else counts.set(child, (counts.get(child) ?? 0) + 1);
	return counts;
}
