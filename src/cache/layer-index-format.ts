import { from0, record } from "../binary/record.ts";
import type { Cut, FileRecipe, TailSource } from "../content/file-recipe.ts";
import type { TarEntry, TarEntryType } from "../formats/tar/entry.ts";

// A layer index: header, the layer's identity, notes, entries, fragment keys. Strings and lists are preceded by their length; numbers are varints.

export const MAGIC = "O2ILAYR\n";
/** Those before had nothing of the blob. */
export const INDEX_VERSION = 3;

export const INDEX_HEADER = record("layer index header", 80, {
	magic: from0.text(0, 8),
	version: from0.u32le(8),
	blockBytes: from0.u32le(12),
	entryCount: from0.u32le(16),
	noteCount: from0.u32le(20),
	fragmentCount: from0.u32le(24),
	/** Index in `FRAGMENT_RULES` */
	fragmentRule: from0.u32le(28),
	/** Length of the uncompressed archive. */
	tarBytes: from0.safe64le(32),
	bodyBytes: from0.safe64le(40),
	/** SHA-256 of the whole file with this field zero. */
	checksum: from0.bytes(48, 32),
});

export const ENTRY_TYPES: readonly TarEntryType[] = [
	"file",
	"hard-link",
	"symlink",
	"character-device",
	"block-device",
	"directory",
	"fifo",
	"socket",
];
export const TYPE_MASK = 0x0f;
export const HAS_XATTRS = 0x10;
/** The extended attributes are those of the last entry that had some. */
export const SAME_XATTRS = 0x20;

export const IS_STORED = 0x01;
export const IS_WHOLE = 0x02;
export const HAS_HOLES = 0x10;
export const HAS_TAIL = 0x20;

/** What is known of a regular file's content: nothing where it was passed over whenever the layer was read. */
export interface IndexedContent {
	/** As it went into a root file system. */
	readonly stored?: StoredContent | undefined;
	/** SHA-256 of what was kept aside as the `content` of a pack. */
	readonly whole?: Uint8Array | undefined;
}

export interface StoredContent {
	readonly recipe: FileRecipe;
	readonly tail: TailSource | undefined;
}

export interface IndexedEntry {
	readonly entry: TarEntry;
	/** Empty for everything that is no regular file. */
	readonly content: IndexedContent;
}

/** Which blob was read, and what was seen of it then. Nothing but `digest` says which blob that was: what an image claims of it has to agree. */
export interface LayerIdentity {
	readonly digest: string;
	/** Bytes of the blob. */
	readonly compressedBytes: number;
	/** Digest of the uncompressed archive. */
	readonly diffId: string;
	/** What the blob's first bytes said. */
	readonly compression: string;
}

/** What reading a layer tells, without its blob. */
export interface LayerIndex extends Cut {
	readonly layer: LayerIdentity;
	readonly entryCount: number;
	readonly tarBytes: number;
	/** The archive's notes, without the layer's name. */
	readonly notes: readonly string[];
	readonly byteLength: number;
	/** In the archive's order. Throws `BrokenIndex` where the bytes do not decode. */
	entries(): Generator<IndexedEntry, void, undefined>;
	/** The contents alone, of every regular file, in less time. Throws as `entries`. */
	files(): Generator<IndexedFile, void, undefined>;
}

/** A regular file of an index: what replaying a layer needs of it. */
export interface IndexedFile {
	/** The entry's number in the archive. */
	readonly index: number;
	readonly byteLength: number;
	readonly content: IndexedContent;
}

export const UNKNOWN: IndexedContent = {};

export function hasTarget(type: TarEntryType): boolean {
	return type === "hard-link" || type === "symlink";
}

export function isDevice(type: TarEntryType): boolean {
	return type === "character-device" || type === "block-device";
}

/** Whether an archive's entry is the one that an index has at its place. */
export function sameEntry(a: TarEntry, b: TarEntry): boolean {
	return (
		a.type === b.type &&
		a.path === b.path &&
		a.linkTarget === b.linkTarget &&
		a.mode === b.mode &&
		a.uid === b.uid &&
		a.gid === b.gid &&
		a.byteLength === b.byteLength &&
		a.mtime.seconds === b.mtime.seconds &&
		a.mtime.nanoseconds === b.mtime.nanoseconds &&
		a.major === b.major &&
		a.minor === b.minor &&
		sameMap(a.xattrs, b.xattrs)
	);
}

export function sameMap(a: TarEntry["xattrs"], b: TarEntry["xattrs"]): boolean {
	if (a === b) return true;
	if (a.size !== b.size) return false;
	const others = b.entries();
	for (const [name, value] of a) {
		const [otherName, otherValue] = others.next().value ?? [];
		if (name !== otherName || otherValue === undefined || Buffer.compare(value, otherValue) !== 0) return false;
	}
	return true;
}
