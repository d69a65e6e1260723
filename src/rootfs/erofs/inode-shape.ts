import { alignUp, MAX_U32 } from "../../binary/units.ts";
import type { Timestamp } from "../../tree/inode.ts";
import { BLOCK_BYTES, type DATA_LAYOUT, INODE_SLOT_BYTES } from "./constants.ts";
import { COMPACT_INODE, EXTENDED_INODE } from "./records.ts";
import { xattrUnits } from "./xattr-body.ts";

/** Longer ends of directories and link targets have a block of their own: Linux wants what is inline in one block, so a longer one leaves more of the block before unused than it saves. */
const MAX_INLINE_BYTES = BLOCK_BYTES / 2;

/** What an inode says of itself. */
export interface InodeFields {
	/** With the type. */
	readonly mode: number;
	readonly uid: number;
	readonly gid: number;
	readonly mtime: Timestamp;
	readonly inodeNumber: number;
	readonly linkCount: number;
	readonly byteLength: number;
	/** The attributes' bytes. */
	readonly xattrs: Uint8Array;
}

/** Where an inode's data is, before it has its place. */
export interface DataShape {
	readonly layout: (typeof DATA_LAYOUT)[keyof typeof DATA_LAYOUT];
	/** What follows the attributes and is no content, aligned to `mapAlignment`. */
	readonly mapBytes: number;
	readonly mapAlignment: number;
	/** The end of the content, behind the attributes. */
	readonly inlineBytes: number;
	/** Blocks of content that are written with the metadata. */
	readonly ownBlocks: number;
}

export const NO_MAP = { mapBytes: 0, mapAlignment: 1, inlineBytes: 0, ownBlocks: 0 } as const;

/** Of a directory or a link target. */
export function inlineShape(byteLength: number): Pick<DataShape, "inlineBytes" | "ownBlocks"> {
	const end = byteLength % BLOCK_BYTES;
	return end > MAX_INLINE_BYTES
		? { inlineBytes: 0, ownBlocks: Math.ceil(byteLength / BLOCK_BYTES) }
		: { inlineBytes: end, ownBlocks: Math.floor(byteLength / BLOCK_BYTES) };
}

/** Gives inodes their places in the metadata, one behind the other, and their own blocks. The same calls give the same places. */
export class InodePlaces {
	/** Of the inodes so far, in bytes from the metadata's beginning. */
	#end = 0;
	#blocks = 0;

	get byteLength(): number {
		return this.#end;
	}

	get ownBlocks(): number {
		return this.#blocks;
	}

	/** `slot` is the inode's number for Linux; `ownBlock` counts from the first block of that kind. */
	next(
		inodeBytes: number,
		{ mapBytes, mapAlignment, inlineBytes, ownBlocks }: DataShape,
	): { slot: number; ownBlock: number } {
		let start = alignUp(this.#end, INODE_SLOT_BYTES);
		const inline = start + inodeBytes;
		if (inlineBytes > 0 && (inline % BLOCK_BYTES) + inlineBytes > BLOCK_BYTES)
			start = alignUp(alignUp(inline, BLOCK_BYTES) - inodeBytes, INODE_SLOT_BYTES);
		const ownBlock = this.#blocks;
		this.#blocks += ownBlocks;
		this.#end = alignUp(start + inodeBytes, mapAlignment) + mapBytes + inlineBytes;
		return { slot: start / INODE_SLOT_BYTES, ownBlock };
	}
}

/** With the attributes. */
export function inodeBytes(fields: InodeFields, epoch: Timestamp): number {
	const { byteLength } = isCompact(fields, epoch) ? COMPACT_INODE : EXTENDED_INODE;
	return byteLength + fields.xattrs.byteLength;
}

/** The inode without its attributes; `location` is as its layout has it. */
export function encodeInode(
	fields: InodeFields,
	epoch: Timestamp,
	layout: DataShape["layout"],
	location: number,
): Buffer {
	const { mtime, xattrs, mode, uid, gid, inodeNumber, linkCount, byteLength } = fields;
	const compact = isCompact(fields, epoch);
	const common = {
		format: (compact ? 0 : 1) | (layout << 1),
		xattrUnits: xattrUnits(xattrs.byteLength),
		mode,
		uid,
		gid,
		inodeNumber,
		linkCount,
		byteLength,
		location,
	};
	if (compact) return COMPACT_INODE.encode({ ...common, mtimeSeconds: 0 });
	const time = { mtimeSeconds: BigInt.asUintN(64, BigInt(mtime.seconds)), mtimeNanoseconds: mtime.nanoseconds };
	return EXTENDED_INODE.encode({ ...common, ...time, locationHigh: 0 });
}

function isCompact({ uid, gid, linkCount, byteLength, mtime }: InodeFields, epoch: Timestamp): boolean {
	return (
		uid <= 0xffff &&
		gid <= 0xffff &&
		linkCount <= 0xffff &&
		byteLength <= MAX_U32 &&
		mtime.seconds === epoch.seconds &&
		mtime.nanoseconds === epoch.nanoseconds
	);
}
