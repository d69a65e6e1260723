import { type ByteSource, region } from "../binary/byte-source.ts";
import { displayName } from "../binary/byte-string.ts";
import { codecFromSquashfsId } from "../codec/codec-table.ts";
import { createDecompressor } from "../codec/decompressor.ts";
import { kernelRefusal } from "../codec/kernel-limits.ts";
import type { BlockDecompressor, CodecName } from "../codec/types.ts";
import { FLAG, NONE_64 } from "../squashfs/constants.ts";
import type { SquashfsDirectory, SquashfsInode } from "../squashfs/squashfs-inode.ts";
import { openSquashfs } from "../squashfs/squashfs-reader.ts";
import type { Superblock } from "../squashfs/superblock.ts";
import type { Findings } from "./findings.ts";
import { scanInodeTable } from "./squashfs-inode-scan.ts";
import { checkTables } from "./squashfs-tables.ts";

export interface OpenSquashfs {
	/** From the superblock on, `bytesUsed` long. */
	readonly image: ByteSource;
	readonly superblock: Superblock;
	readonly codec: CodecName;
	readonly decompressor: BlockDecompressor;
	readonly root: SquashfsDirectory;
	/** Each inode once, with its first path without leading slash. */
	readonly inodes: ReadonlyMap<SquashfsInode, string>;
}

/** Reads superblock, all tables and the tree. */
export async function checkSquashfs(source: ByteSource, findings: Findings): Promise<OpenSquashfs> {
	let codec: CodecName = "none";
	let decompressor: BlockDecompressor = createDecompressor("none");
	const reader = await openSquashfs(source, (id) => {
		codec = codecFromSquashfsId(id);
		decompressor = createDecompressor(codec);
		return { decompress: (block, maxBytes) => metadata(block, maxBytes) };
	});
	const { superblock } = reader;
	const refusals = new Set<string>();
	const metadata: BlockDecompressor["decompress"] = (block, maxBytes) => {
		const refusal = kernelRefusal(codec, block, superblock.blockBytes);
		if (refusal !== undefined && !refusals.has(refusal))
			findings.fault(`the kernel refuses a metadata block: ${refusal}`, "squashfs tables", "what it decodes");
		if (refusal !== undefined) refusals.add(refusal);
		return decompressor.decompress(block, maxBytes);
	};
	const root = await reader.readTree();
	const { inodes, names } = countLinks(root, findings);
	findings.equal("number of inodes", superblock.inodeCount, inodes.size, "squashfs superblock");
	const image = region(source, 0, superblock.bytesUsed);
	await checkPadding(source, superblock.bytesUsed, findings);
	checkFlags(superblock, findings);
	const guarded = { decompress: metadata };
	const tables = await checkTables(image, guarded, superblock, findings);
	let blockCount = 0;
	for (const inode of inodes.keys()) if (inode.type === "file") blockCount += inode.layout.blocks.count;
	await scanInodeTable(image, guarded, superblock, { tables, blockCount }, findings);
	findings.detail = `${codec}, blocks of ${superblock.blockBytes}, ${inodes.size} inodes, ${names} names`;
	return { image, superblock, codec, decompressor, root, inodes };
}

/** Every inode says how many names it has. */
function countLinks(root: SquashfsDirectory, findings: Findings) {
	const inodes = new Map<SquashfsInode, string>([[root, ""]]);
	const counts = new Map<SquashfsInode, number>();
	const pending: [SquashfsDirectory, string][] = [[root, ""]];
	let names = 0;
	for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
		const [directory, path] = next;
		let subdirectories = 0;
		for (const [name, inode] of directory.entries) {
			names++;
			counts.set(inode, (counts.get(inode) ?? 0) + 1);
			const own = path === "" ? name : `${path}/${name}`;
			if (!inodes.has(inode)) inodes.set(inode, own);
			if (inode.type !== "directory") continue;
			subdirectories++;
			pending.push([inode, own]);
		}
		if (directory.linkCount !== subdirectories + 2)
			findings.fault(`link count ${directory.linkCount}`, `/${displayName(path)}`, String(subdirectories + 2));
	}
	for (const [inode, path] of inodes) {
		const count = counts.get(inode) ?? 0;
		if (inode.type !== "directory" && inode.linkCount !== count)
			findings.fault(`link count ${inode.linkCount}`, `/${displayName(path)}`, String(count));
	}
	return { inodes, names };
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
