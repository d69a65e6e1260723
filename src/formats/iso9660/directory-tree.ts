import { divideCeil, ISO_BLOCK_BYTES } from "../../binary/units.ts";
import { assert } from "../../errors.ts";
import { clampRecordingSeconds } from "./dates.ts";
import {
	directoryRecordByteLength,
	encodeDirectoryRecord,
	FILE_FLAGS,
	PARENT_IDENTIFIER,
	SELF_IDENTIFIER,
} from "./directory-record.ts";
import { type Extent, extentsOf } from "./extents.ts";
import { breadthFirst, depthFirst, type NamedDirectory, type NamedNode } from "./hierarchy.ts";
import { encodePathTable, pathTableByteLength } from "./path-table.ts";
import { encodeSystemUse, inRecordByteLength, type RecordRole, type SystemUse, systemUseOf } from "./system-use.ts";
import type { IsoFile, IsoNode } from "./tree.ts";

/** A run of blocks with metadata in it. */
export interface Table {
	/** For people: what it is, as in `primary path table (little-endian)`. */
	readonly name: string;
	/** Block of the whole image. */
	readonly block: number;
	readonly bytes: Uint8Array;
}

/** Sizes and places of one tree of directory records; its bytes can be made once every file body has a place. */
export interface DirectoryTree {
	readonly name: string;
	readonly rockRidge: boolean;
	/** Blocks of the image before the volume that this tree belongs to; subtracted from every address in it. */
	readonly baseBlock: number;
	readonly pathTableByteLength: number;
	/** Blocks of the whole image, as all places here. */
	readonly littleEndianPathTableBlock: number;
	readonly bigEndianPathTableBlock: number;
	readonly directories: readonly PlacedDirectory[];
	readonly root: NamedDirectory;
	/** First block after the tree. */
	readonly endBlock: number;
}

interface PlacedDirectory {
	readonly directory: NamedDirectory;
	readonly block: number;
	/** Of the records, a multiple of the block size; continuation areas follow and do not count. */
	readonly byteLength: number;
	readonly continuationByteLength: number;
	readonly records: readonly PlannedRecord[];
}

interface PlannedRecord {
	readonly identifier: Uint8Array;
	readonly use: SystemUse;
	/** Within the directory's extent, in bytes. */
	readonly offset: number;
	/** Within the directory's continuation blocks, in bytes. */
	readonly continuationOffset: number;
	readonly refersTo: NamedDirectory | IsoNode;
	/** For one section of a file of several: which; 0 otherwise. */
	readonly section: number;
}

/** What the encoder has to know of the nodes beyond themselves. */
interface NodeFacts {
	linksOf(node: IsoNode): number;
	/** First block of a file's body, in blocks of the whole image. */
	blockOf(file: IsoFile): number;
}

/** Places one tree's path tables and directories from `firstBlock` on. */
export function placeDirectoryTree(
	root: NamedDirectory,
	options: { name: string; rockRidge: boolean; baseBlock: number; firstBlock: number },
	linksOf: NodeFacts["linksOf"],
): DirectoryTree {
	const ordered = depthFirst(root);
	const tableByteLength = pathTableByteLength(ordered.map((each) => each.identifier.byteLength));
	const tableBlocks = divideCeil(tableByteLength, ISO_BLOCK_BYTES);
	let block = options.firstBlock + 2 * tableBlocks;
	const directories = ordered.map((directory) => {
		const placed = { directory, block, ...planRecords(directory, options.rockRidge, linksOf) };
		block += (placed.byteLength + placed.continuationByteLength) / ISO_BLOCK_BYTES;
		return placed;
	});
	return {
		name: options.name,
		rockRidge: options.rockRidge,
		baseBlock: options.baseBlock,
		pathTableByteLength: tableByteLength,
		littleEndianPathTableBlock: options.firstBlock,
		bigEndianPathTableBlock: options.firstBlock + tableBlocks,
		directories,
		root,
		endBlock: block,
	};
}

function planRecords(directory: NamedDirectory, rockRidge: boolean, linksOf: NodeFacts["linksOf"]) {
	const records: PlannedRecord[] = [];
	let offset = 0;
	let continuationOffset = 0;
	const add = (
		role: RecordRole,
		identifier: Uint8Array,
		name: string,
		node: IsoNode,
		refersTo: PlannedRecord["refersTo"],
		section: number,
	) => {
		const use = rockRidge
			? systemUseOf({
					role,
					node,
					name,
					links: linksOf(node),
					mtimeSeconds: clampRecordingSeconds(node.mtimeSeconds),
					identifierByteLength: identifier.byteLength,
				})
			: NO_SYSTEM_USE;
		const byteLength = directoryRecordByteLength(identifier.byteLength, inRecordByteLength(use));
		offset = withinOneBlock(offset, byteLength);
		continuationOffset = withinOneBlock(continuationOffset, use.continued.byteLength);
		records.push({ identifier, use, offset, continuationOffset, refersTo, section });
		offset += byteLength;
		continuationOffset += use.continued.byteLength;
	};
	const isRoot = directory.parent === directory;
	add(isRoot ? "root-self" : "self-or-parent", SELF_IDENTIFIER, "", directory.node, directory, 0);
	add("self-or-parent", PARENT_IDENTIFIER, "", directory.parent.node, directory.parent, 0);
	for (const entry of directory.entries)
		for (let section = 0; section < sectionCount(entry); section++)
			add("entry", entry.identifier, entry.name, entry.node, entry.directory ?? entry.node, section);
	return {
		records,
		byteLength: divideCeil(offset, ISO_BLOCK_BYTES) * ISO_BLOCK_BYTES,
		continuationByteLength: divideCeil(continuationOffset, ISO_BLOCK_BYTES) * ISO_BLOCK_BYTES,
	};
}

const NO_SYSTEM_USE: SystemUse = { inRecord: Buffer.alloc(0), continued: Buffer.alloc(0) };

function sectionCount(entry: NamedNode): number {
	return entry.node.type === "file" ? extentsOf(0, entry.node.byteLength).length : 1;
}

/** Neither directory records (ECMA-119 6.8.1.1) nor continuation areas (the kernel's rule) may cross a block's end. */
function withinOneBlock(offset: number, byteLength: number): number {
	assert(byteLength <= ISO_BLOCK_BYTES, "a record or continuation area is longer than a block");
	const inBlock = offset % ISO_BLOCK_BYTES;
	return inBlock + byteLength > ISO_BLOCK_BYTES ? offset - inBlock + ISO_BLOCK_BYTES : offset;
}

/** The path tables and directories of `tree`. */
export function encodeDirectoryTree(tree: DirectoryTree, facts: NodeFacts): Table[] {
	const placed = new Map(tree.directories.map((each) => [each.directory, each]));
	const placeOf = (directory: NamedDirectory): PlacedDirectory => {
		const found = placed.get(directory);
		assert(found !== undefined, "a directory has no place");
		return found;
	};
	const inOrder = breadthFirst(tree.root);
	const numbers = new Map(inOrder.map((directory, i) => [directory, i + 1]));
	const pathTable = inOrder.map((directory) => ({
		identifier: directory.identifier,
		extentBlock: placeOf(directory).block - tree.baseBlock,
		parentNumber: numbers.get(directory.parent) ?? 1,
	}));
	const tables: Table[] = [
		{
			name: `${tree.name} path table (little-endian)`,
			block: tree.littleEndianPathTableBlock,
			bytes: encodePathTable(pathTable, "little-endian"),
		},
		{
			name: `${tree.name} path table (big-endian)`,
			block: tree.bigEndianPathTableBlock,
			bytes: encodePathTable(pathTable, "big-endian"),
		},
	];
	for (const directory of tree.directories)
		tables.push({
			name: `${tree.name} directory ${directory.directory.path}`,
			block: directory.block,
			bytes: encodeDirectory(tree, directory, placeOf, facts),
		});
	return tables;
}

function encodeDirectory(
	tree: DirectoryTree,
	placed: PlacedDirectory,
	placeOf: (directory: NamedDirectory) => PlacedDirectory,
	facts: NodeFacts,
): Buffer {
	const bytes = Buffer.alloc(placed.byteLength + placed.continuationByteLength);
	for (const record of placed.records) {
		const continuation = placed.byteLength + record.continuationOffset;
		const continuationBlock = placed.block + Math.floor(continuation / ISO_BLOCK_BYTES) - tree.baseBlock;
		const encoded = encodeDirectoryRecord({
			identifier: record.identifier,
			systemUse: encodeSystemUse(record.use, continuationBlock, continuation % ISO_BLOCK_BYTES),
			...extentFields(record),
		});
		bytes.set(encoded, record.offset);
		bytes.set(record.use.continued, continuation);
	}
	return bytes;

	function extentFields({ refersTo, section }: PlannedRecord) {
		if ("entries" in refersTo && "parent" in refersTo) {
			const { block, byteLength } = placeOf(refersTo);
			return {
				extentBlock: block - tree.baseBlock,
				dataByteLength: byteLength,
				recordedAtSeconds: clampRecordingSeconds(refersTo.node.mtimeSeconds),
				fileFlags: FILE_FLAGS.directory,
			};
		}
		const extents: readonly Extent[] =
			refersTo.type === "file" ? extentsOf(facts.blockOf(refersTo), refersTo.byteLength) : [];
		const extent = extents[section] ?? { block: tree.baseBlock, byteLength: 0 };
		return {
			extentBlock: extent.block - tree.baseBlock,
			dataByteLength: extent.byteLength,
			recordedAtSeconds: clampRecordingSeconds(refersTo.mtimeSeconds),
			fileFlags: section < extents.length - 1 ? FILE_FLAGS.multiExtent : 0,
		};
	}
}

/** The root's record as volume descriptors hold it. */
export function encodeRootRecord(tree: DirectoryTree): Buffer {
	const placed = tree.directories[0];
	assert(placed !== undefined, "a tree without a root");
	return encodeDirectoryRecord({
		identifier: SELF_IDENTIFIER,
		systemUse: Buffer.alloc(0),
		extentBlock: placed.block - tree.baseBlock,
		dataByteLength: placed.byteLength,
		recordedAtSeconds: clampRecordingSeconds(tree.root.node.mtimeSeconds),
		fileFlags: FILE_FLAGS.directory,
	});
}
