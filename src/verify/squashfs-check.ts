import { type ByteSource, region } from "../binary/byte-source.ts";
import { type ByteString, displayName } from "../binary/byte-string.ts";
import { inTurns, type Steps } from "../binary/turns.ts";
import { codecFromSquashfsId } from "../codec/codec-table.ts";
import { createDecompressor } from "../codec/decompressor.ts";
import { kernelRefusal } from "../codec/kernel-limits.ts";
import type { BlockDecompressor, CodecName } from "../codec/types.ts";
import { corrupt } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import { FLAG, NONE_64 } from "../rootfs/squashfs/constants.ts";
import type { SquashfsDirectory, SquashfsFile, SquashfsInode } from "../rootfs/squashfs/squashfs-inode.ts";
import { openSquashfs } from "../rootfs/squashfs/squashfs-reader.ts";
import type { Superblock } from "../rootfs/squashfs/superblock.ts";
import { scanInodeTable } from "./squashfs-inode-scan.ts";
import { checkTables } from "./squashfs-tables.ts";

export interface OpenSquashfs {
	/** From the superblock on, `bytesUsed` long. */
	readonly image: ByteSource;
	readonly superblock: Superblock;
	readonly codec: CodecName;
	/** Some block of the tables is. */
	readonly hasCompressedTables: boolean;
	readonly decompressor: BlockDecompressor;
	readonly root: SquashfsDirectory;
	/** Each once. Inodes have numbers from 1 to at most one more than the tree has names. */
	readonly files: readonly SquashfsFile[];
	/** The first path, without leading slash. */
	pathOf(inode: SquashfsInode): ByteString;
}

/** Reads superblock, all tables and the tree. */
export async function checkSquashfs(
	source: ByteSource,
	findings: Findings,
	signal?: AbortSignal,
): Promise<OpenSquashfs> {
	let codec: CodecName = "none";
	let decompressor: BlockDecompressor = createDecompressor("none");
	const reader = await openSquashfs(source, (id) => {
		codec = codecFromSquashfsId(id);
		decompressor = createDecompressor(codec);
		return { decompress: (block, maxBytes) => metadata(block, maxBytes) };
	});
	const { superblock } = reader;
	const refusals = new Set<string>();
	let hasCompressedTables = false;
	const metadata: BlockDecompressor["decompress"] = (block, maxBytes) => {
		hasCompressedTables = true;
		const refusal = kernelRefusal(codec, block, superblock.blockBytes);
		if (refusal !== undefined && !refusals.has(refusal))
			findings.fault(`the kernel refuses a metadata block: ${refusal}`, "squashfs tables", "what it decodes");
		if (refusal !== undefined) refusals.add(refusal);
		return decompressor.decompress(block, maxBytes);
	};
	const root = await reader.readTree();
	const pathOf = pathsBelow(root);
	const { files, inodes, names } = await inTurns(countLinks(root, superblock, pathOf, findings), signal);
	findings.equal("number of inodes", superblock.inodeCount, inodes, "squashfs superblock");
	const image = region(source, 0, superblock.bytesUsed);
	await checkPadding(source, superblock.bytesUsed, findings);
	checkFlags(superblock, findings);
	const guarded = { decompress: metadata };
	const tables = await checkTables(image, guarded, superblock, findings);
	let blockCount = 0;
	for (const { layout } of files) blockCount += layout.blocks.count;
	await scanInodeTable(image, guarded, superblock, { tables, blockCount }, findings);
	findings.detail = `${codec}, blocks of ${superblock.blockBytes}, ${inodes} inodes, ${names} names`;
	return { image, superblock, codec, hasCompressedTables, decompressor, root, files, pathOf };
}

/** Every inode says how many names it has; a name a step. Throws CORRUPT_METADATA where there are fewer names than inodes are said to be. */
function* countLinks(
	root: SquashfsDirectory,
	{ inodeCount }: Superblock,
	pathOf: (inode: SquashfsInode) => ByteString,
	findings: Findings,
): Steps<{ files: SquashfsFile[]; inodes: number; names: number }> {
	let names = 0;
	for (const _ of namesBelow(root)) {
		names++;
		yield;
	}
	if (inodeCount > names + 1)
		throw corrupt(
			"CORRUPT_METADATA",
			`number of inodes is ${inodeCount}`,
			"squashfs superblock",
			`at most ${names + 1}`,
		);
	/** By inode number. */
	const counts = new Uint32Array(inodeCount + 1);
	const files: SquashfsFile[] = [];
	let inodes = 1;
	const check = (inode: SquashfsInode, expected: number): void => {
		if (inode.linkCount !== expected)
			findings.fault(`link count ${inode.linkCount}`, `/${displayName(pathOf(inode))}`, String(expected));
	};
	for (const [, inode] of namesBelow(root)) {
		yield;
		const before = counts[inode.inodeNumber] ?? 0;
		counts[inode.inodeNumber] = before + 1;
		if (before > 0) continue;
		inodes++;
		if (inode.type === "file") files.push(inode);
	}
	const checkDirectory = (directory: SquashfsDirectory): void => {
		let subdirectories = 0;
		for (const { type } of directory.entries.values()) if (type === "directory") subdirectories++;
		check(directory, subdirectories + 2);
	};
	checkDirectory(root);
	for (const [, inode] of namesBelow(root)) {
		yield;
		const count = counts[inode.inodeNumber] ?? 0;
		if (inode.type === "directory") checkDirectory(inode);
		else if (count > 0) check(inode, count);
		// Once for all names.
		counts[inode.inodeNumber] = 0;
	}
	return { files, inodes, names };
}

/** Every name, with its directory's prefix left out; a directory's names follow each other. */
function* namesBelow(root: SquashfsDirectory): Generator<[name: ByteString, inode: SquashfsInode]> {
	const pending = [root];
	for (let directory = pending.pop(); directory !== undefined; directory = pending.pop())
		for (const entry of directory.entries) {
			yield entry;
			if (entry[1].type === "directory") pending.push(entry[1]);
		}
}

/** Only where something is wrong do paths take memory. */
function pathsBelow(root: SquashfsDirectory): (inode: SquashfsInode) => ByteString {
	let paths: Map<SquashfsInode, ByteString> | undefined;
	const walk = (): Map<SquashfsInode, ByteString> => {
		const found = new Map<SquashfsInode, ByteString>([[root, ""]]);
		const pending: [SquashfsDirectory, ByteString][] = [[root, ""]];
		for (let next = pending.pop(); next !== undefined; next = pending.pop())
			for (const [name, inode] of next[0].entries) {
				const path = next[1] === "" ? name : `${next[1]}/${name}`;
				if (!found.has(inode)) found.set(inode, path);
				if (inode.type === "directory") pending.push([inode, path]);
			}
		return found;
	};
	return (inode) => {
		paths ??= walk();
		return paths.get(inode) ?? "";
	};
}

/** Up to a multiple of 4096, zeros. */
async function checkPadding(source: ByteSource, bytesUsed: number, findings: Findings): Promise<void> {
	const length = Math.min(source.byteLength, Math.ceil(bytesUsed / 4096) * 4096) - bytesUsed;
	const padding = await source.read(bytesUsed, length);
	if (padding.some((byte) => byte !== 0)) findings.fault("the padding is not zero", `byte ${bytesUsed}`, "zeros");
	const file = Math.ceil(bytesUsed / 4096) * 4096;
	if (source.byteLength !== bytesUsed && source.byteLength !== file)
		findings.fault(`the image has ${source.byteLength} bytes`, "squashfs superblock", `${bytesUsed} or ${file}`);
}

function checkFlags({ flags, fragmentCount, exportTable }: Superblock, findings: Findings): void {
	const where = "squashfs superblock";
	const known = Object.values(FLAG).reduce((all, flag) => all | flag, 0);
	if ((flags & ~known) !== 0) findings.fault(`flags 0x${flags.toString(16)}`, where, "known ones");
	if ((flags & FLAG.noFragments) !== 0 && fragmentCount > 0)
		findings.fault("there are fragments and the flags say no", where, "one of both");
	if ((flags & FLAG.noFragments) !== 0 && (flags & FLAG.alwaysFragments) !== 0)
		findings.fault("the flags want fragments always and never", where, "one of both");
	findings.equal("exportable", (flags & FLAG.exportable) !== 0, exportTable !== NONE_64, where);
}
