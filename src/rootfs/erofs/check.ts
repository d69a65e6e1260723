import type { ByteSource } from "../../binary/byte-source.ts";
import { crc32c } from "../../binary/crc32c.ts";
import { sorting } from "../../binary/sorting.ts";
import { inTurns, type Steps } from "../../binary/turns.ts";
import type { Findings } from "../../findings/findings.ts";
import { countLinks, pathsBelow } from "../link-counts.ts";
import type { CheckedRoot, Stretch } from "../root-file-system.ts";
import { COMPATIBLE, INODE_SLOT_BYTES, SUPERBLOCK_OFFSET } from "./constants.ts";
import { openErofs } from "./erofs-reader.ts";
import type { StoredInode } from "./inode-reader.ts";
import { inodeStretches } from "./inode-stretches.ts";
import { SUPERBLOCK, type Superblock } from "./records.ts";
import type { Volume } from "./volume.ts";

const WHERE = "EROFS superblock";

/** Reads the superblock and the tree. */
export async function checkErofs(
	source: ByteSource,
	findings: Findings,
	signal: AbortSignal | undefined,
): Promise<Omit<CheckedRoot, "format">> {
	const reader = await openErofs(source);
	const { volume, codec, blockBytes, contents } = reader;
	const { superblock, packedNumber } = volume;
	const inodes: StoredInode[] = [];
	const root = await reader.visitTree((inode) => inodes.push(inode));
	if (packedNumber !== undefined) inodes.push(await reader.inodes.read(packedNumber));
	const found = inodes.length - (packedNumber === undefined ? 0 : 1);
	const pathOf = pathsBelow(root);
	const { files, names } = await inTurns(countLinks(root, found, pathOf, findings), signal);
	// Programs differ in whether the packed inode counts.
	if (superblock.inodeCount !== BigInt(inodes.length))
		findings.equal("number of inodes", Number(superblock.inodeCount), found, WHERE);
	await checkFirstBlock(volume, findings);
	const occupied: Stretch[] = [{ start: 0, end: superblockEnd(superblock) }, ...reader.sharedXattrs()];
	for (const inode of inodes) occupied.push(...(await inodeStretches(volume, inode)));
	findings.detail = `${codec}, blocks of ${blockBytes}, ${found} inodes, ${names} names`;
	return {
		codec,
		blockBytes,
		dataArea: reader.dataArea,
		occupied: await inTurns(checkStretches(occupied, findings), signal),
		contents,
		root,
		files,
		pathOf,
		checkMarks(_epochSeconds, _hasCompressedBlocks, marks) {
			const { compatible, buildSeconds, volumeName } = superblock;
			marks.equal("compatible features", compatible, COMPATIBLE.superblockChecksum | COMPATIBLE.mtime, WHERE);
			marks.equal("time of making", buildSeconds, 0, WHERE);
			if (volumeName.some((byte) => byte !== 0)) marks.fault("the volume has a name", WHERE, "none");
		},
	};
}

function superblockEnd({ extensionSlots }: Superblock): number {
	return SUPERBLOCK_OFFSET + SUPERBLOCK.byteLength + 16 * extensionSlots;
}

async function checkFirstBlock({ image, superblock, blockBytes }: Volume, findings: Findings): Promise<void> {
	const { compatible, checksum } = superblock;
	if ((compatible & COMPATIBLE.superblockChecksum) === 0) return;
	const length = blockBytes > SUPERBLOCK_OFFSET ? blockBytes - SUPERBLOCK_OFFSET : blockBytes;
	const bytes = Buffer.from(await image.read(SUPERBLOCK_OFFSET, length));
	bytes.writeUInt32LE(0, SUPERBLOCK.fields.checksum.offset);
	findings.equal("checksum", checksum, crc32c(bytes), WHERE);
}

/** Structures have bytes of their own. Returns them with those joined that nothing fits between. */
function* checkStretches(occupied: readonly Stretch[], findings: Findings): Steps<Stretch[]> {
	let end = 0;
	let start = 0;
	const joined: Stretch[] = [];
	for (const stretch of yield* sorting(occupied, (a, b) => a.start - b.start || a.end - b.end)) {
		yield;
		if (stretch.start < end)
			findings.fault(
				`something at offset ${stretch.start} lies over something else`,
				"EROFS metadata",
				`${end} or more`,
			);
		if (stretch.start - end >= INODE_SLOT_BYTES) {
			joined.push({ start, end });
			start = stretch.start;
		}
		end = Math.max(end, stretch.end);
	}
	joined.push({ start, end });
	return joined;
}
