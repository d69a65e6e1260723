import { corrupt } from "../../errors.ts";
import type { InodeAttributes, Timestamp } from "../../tree/inode.ts";
import { DATA_LAYOUT, type ENTRY_TYPE, HIGH } from "./constants.ts";
import { COMPACT_INODE, EXTENDED_INODE } from "./records.ts";
import type { Volume } from "./volume.ts";
import { type XattrReader, xattrBytes } from "./xattr-reader.ts";

/** As the image has it. */
export interface StoredInode extends InodeAttributes {
	/** Its place: see `Volume.inodePosition`. */
	readonly number: number;
	readonly type: keyof typeof ENTRY_TYPE;
	readonly linkCount: number;
	readonly byteLength: number;
	/** A `DATA_LAYOUT` */
	readonly layout: number;
	/** By layout and type: first block (undefined: a hole), blocks of compressed data, device number or chunk format. */
	readonly location: number | undefined;
	/** Absolute. */
	readonly position: number;
	/** Where its attributes end; index or inline data follow. */
	readonly end: number;
	/** A directory without entry of itself. */
	readonly omitsDot: boolean;
}

const TYPE_OF_MODE: Readonly<Record<number, keyof typeof ENTRY_TYPE>> = {
	1: "fifo",
	2: "character-device",
	4: "directory",
	6: "block-device",
	8: "file",
	10: "symlink",
	12: "socket",
};
const EXTENDED_BIT = 1;
const KNOWN_FORMAT_BITS = 0x1f;
/** Of a compact inode, its field of links has the upper part of the address; of a directory, there is no entry of itself. */
const SPECIAL_BIT = 0x10;
const NOWHERE = HIGH - 1;
const MAX_NANOSECONDS = 999_999_999;

/** Reads inodes. */
export class InodeReader {
	readonly #volume: Volume;
	readonly #xattrs: XattrReader;
	/** Neighbours mostly have one time. */
	#mtime: Timestamp = { seconds: 0, nanoseconds: 0 };

	constructor(volume: Volume, xattrs: XattrReader) {
		this.#volume = volume;
		this.#xattrs = xattrs;
	}

	/** Throws `Oci2isoError` CORRUPT_METADATA, UNSUPPORTED_FEATURE or UNEXPECTED_END. */
	async read(number: number): Promise<StoredInode> {
		const { metadata, superblock } = this.#volume;
		const position = this.#volume.inodePosition(number);
		const where = `inode ${number}`;
		const head = await metadata.read(position, COMPACT_INODE.byteLength);
		const compact = COMPACT_INODE.decode(head);
		const { format, mode, xattrUnits } = compact;
		const layout = (format >> 1) & 7;
		const type = TYPE_OF_MODE[mode >> 12];
		if ((format & ~KNOWN_FORMAT_BITS) !== 0 || layout > DATA_LAYOUT.chunked || type === undefined)
			throw corrupt("CORRUPT_METADATA", `an inode has format ${format} and mode ${mode.toString(8)}`, where);
		const isExtended = (format & EXTENDED_BIT) !== 0;
		const isSpecial = (format & SPECIAL_BIT) !== 0;
		const common = { number, type, mode: mode & 0o7777, layout, position, omitsDot: type === "directory" && isSpecial };
		const inodeBytes = isExtended ? EXTENDED_INODE.byteLength : COMPACT_INODE.byteLength;
		const end = position + inodeBytes + xattrBytes(xattrUnits);
		const xattrs = await this.#xattrs.read(position + inodeBytes, xattrUnits, where);
		const isFlat = layout === DATA_LAYOUT.flat && /^(file|directory|symlink)$/.test(type);
		const place = (low: number, high: number | undefined): number | undefined =>
			isFlat && low === NOWHERE && (high === undefined || high === 0xffff) ? undefined : low + (high ?? 0) * HIGH;
		if (!isExtended) {
			const hasHigh = isSpecial && type !== "directory";
			return {
				...common,
				xattrs,
				end,
				uid: compact.uid,
				gid: compact.gid,
				linkCount: hasHigh ? 1 : compact.linkCount,
				byteLength: compact.byteLength,
				location: place(compact.location, hasHigh ? compact.linkCount : undefined),
				mtime: this.#time(superblock.epochSeconds + BigInt(compact.mtimeSeconds), superblock.epochNanoseconds, where),
			};
		}
		const extended = EXTENDED_INODE.decode(await metadata.read(position, EXTENDED_INODE.byteLength));
		if (extended.byteLength === Number.POSITIVE_INFINITY)
			throw corrupt("CORRUPT_METADATA", "an inode's length is out of range", where);
		return {
			...common,
			xattrs,
			end,
			uid: extended.uid,
			gid: extended.gid,
			linkCount: extended.linkCount,
			byteLength: extended.byteLength,
			location: place(extended.location, extended.locationHigh),
			mtime: this.#time(extended.mtimeSeconds, extended.mtimeNanoseconds, where),
		};
	}

	#time(unsigned: bigint, nanoseconds: number, where: string): Timestamp {
		const seconds = Number(BigInt.asIntN(64, unsigned));
		if (!Number.isSafeInteger(seconds) || nanoseconds > MAX_NANOSECONDS)
			throw corrupt("CORRUPT_METADATA", `a time is ${seconds} seconds and ${nanoseconds} nanoseconds`, where);
		if (this.#mtime.seconds !== seconds || this.#mtime.nanoseconds !== nanoseconds)
			this.#mtime = { seconds, nanoseconds };
		return this.#mtime;
	}
}
