import type { ByteSource } from "../../binary/byte-source.ts";
import { inTurns } from "../../binary/turns.ts";
import { alignUp } from "../../binary/units.ts";
import { kernelRefusal } from "../../codec/kernel-limits.ts";
import { hasTail } from "../../content/fragment-rule.ts";
import type { Findings } from "../../findings/findings.ts";
import { countLinks, pathsBelow } from "../link-counts.ts";
import type { CheckedRoot } from "../root-file-system.ts";
import type { RootFile } from "../root-inode.ts";
import { checkInodeTable } from "./check-inodes.ts";
import { checkTables } from "./check-tables.ts";
import { FLAG, IMAGE_ALIGNMENT_BYTES, NONE_64 } from "./constants.ts";
import { openSquashfs } from "./squashfs-reader.ts";
import type { Superblock } from "./superblock.ts";

const STORED =
	FLAG.uncompressedInodes |
	FLAG.uncompressedData |
	FLAG.uncompressedFragments |
	FLAG.uncompressedXattrs |
	FLAG.uncompressedIds;
const WHERE = "squashfs superblock";

/** Reads superblock, all tables and the tree. */
export async function checkSquashfs(
	source: ByteSource,
	findings: Findings,
	signal: AbortSignal | undefined,
): Promise<Omit<CheckedRoot, "format">> {
	const refusals = new Set<string>();
	let hasCompressedTables = false;
	const reader = await openSquashfs(source, {
		compressed(block) {
			hasCompressedTables = true;
			const refusal = kernelRefusal(codec, block, blockBytes);
			if (refusal !== undefined && !refusals.has(refusal))
				findings.fault(`the kernel refuses a metadata block: ${refusal}`, "squashfs tables", "what it decodes");
			if (refusal !== undefined) refusals.add(refusal);
		},
	});
	const { superblock, codec, blockBytes, dataArea, contents } = reader;
	const root = await reader.readTree();
	const pathOf = pathsBelow(root);
	const counting = countLinks(root, superblock.inodeCount, pathOf, findings);
	const { files, inodes, names } = await inTurns(counting, signal);
	findings.equal("number of inodes", superblock.inodeCount, inodes, WHERE);
	await checkPadding(source, superblock.bytesUsed, findings);
	checkFlags(superblock, findings);
	await checkTables(reader, findings);
	let blockCount = 0;
	for (const { layout } of files) blockCount += layout.blocks?.count ?? 0;
	await checkInodeTable(reader, blockCount, findings);
	findings.detail = `${codec}, blocks of ${blockBytes}, ${inodes} inodes, ${names} names`;
	return {
		codec,
		blockBytes,
		dataArea,
		contents,
		root,
		files,
		pathOf,
		checkMarks(epochSeconds, hasCompressedBlocks, marks) {
			const isCompressed = hasCompressedTables || hasCompressedBlocks;
			checkMarks(superblock, files, { epochSeconds, isCompressed }, marks);
		},
	};
}

/** Up to a multiple of 4096, zeros. */
async function checkPadding(source: ByteSource, bytesUsed: number, findings: Findings): Promise<void> {
	const end = alignUp(bytesUsed, IMAGE_ALIGNMENT_BYTES);
	const padding = await source.read(bytesUsed, Math.min(source.byteLength, end) - bytesUsed);
	if (padding.some((byte) => byte !== 0)) findings.fault("the padding is not zero", `byte ${bytesUsed}`, "zeros");
	if (source.byteLength !== bytesUsed && source.byteLength !== end)
		findings.fault(`the image has ${source.byteLength} bytes`, WHERE, `${bytesUsed} or ${end}`);
}

function checkFlags({ flags, fragmentCount, exportTable }: Superblock, findings: Findings): void {
	const known = Object.values(FLAG).reduce((all, flag) => all | flag, 0);
	if ((flags & ~known) !== 0) findings.fault(`flags 0x${flags.toString(16)}`, WHERE, "known ones");
	if ((flags & FLAG.noFragments) !== 0 && fragmentCount > 0)
		findings.fault("there are fragments and the flags say no", WHERE, "one of both");
	if ((flags & FLAG.noFragments) !== 0 && (flags & FLAG.alwaysFragments) !== 0)
		findings.fault("the flags want fragments always and never", WHERE, "one of both");
	findings.equal("exportable", (flags & FLAG.exportable) !== 0, exportTable !== NONE_64, WHERE);
}

function checkMarks(
	{ flags, blockBytes, modificationTimeSeconds }: Superblock,
	files: readonly RootFile[],
	making: { readonly epochSeconds: number; readonly isCompressed: boolean },
	findings: Findings,
): void {
	findings.equal("time of making", modificationTimeSeconds, making.epochSeconds, WHERE);
	const marks = flags & (STORED | FLAG.duplicatesRemoved | FLAG.noXattrs);
	findings.equal("flags about the making", marks, FLAG.duplicatesRemoved | (making.isCompressed ? 0 : STORED), WHERE);
	const rule =
		(flags & FLAG.noFragments) !== 0 ? "none" : (flags & FLAG.alwaysFragments) !== 0 ? "all-tails" : "small-files";
	const odd = files.filter(
		({ layout: { byteLength, tail } }) => (tail !== undefined) !== hasTail(rule, byteLength, blockBytes),
	);
	findings.equal("files whose tails are not where the flags say", odd.length, 0, WHERE);
}
