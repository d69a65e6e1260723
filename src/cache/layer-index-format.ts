import { createHash, hash } from "node:crypto";
import { ByteWriter } from "../binary/byte-writer.ts";
import { from0, record } from "../binary/record.ts";
import { assert } from "../errors.ts";
import { blockCountOf, type FileRecipe, HASH_BYTES, type TailSource } from "../squashfs/file-recipe.ts";
import type { TarEntry, TarEntryType } from "../tar/entry.ts";
import { ByteCursor, writeSignedVarint, writeVarint } from "./byte-cursor.ts";
import { BrokenIndex } from "./failures.ts";

// A layer index: header, the layer's identity, notes, entries, fragment keys. Strings and lists are preceded by their length; numbers are varints.

const MAGIC = "O2ILAYR\n";
/** Those before had nothing of the blob. */
const INDEX_VERSION = 3;

const INDEX_HEADER = record("layer index header", 80, {
	magic: from0.text(0, 8),
	version: from0.u32le(8),
	blockBytes: from0.u32le(12),
	entryCount: from0.u32le(16),
	noteCount: from0.u32le(20),
	fragmentCount: from0.u32le(24),
	/** Length of the uncompressed archive. */
	tarBytes: from0.safe64le(32),
	bodyBytes: from0.safe64le(40),
	/** SHA-256 of the whole file with this field zero. */
	checksum: from0.bytes(48, 32),
});

const ENTRY_TYPES: readonly TarEntryType[] = [
	"file",
	"hard-link",
	"symlink",
	"character-device",
	"block-device",
	"directory",
	"fifo",
	"socket",
];
const TYPE_MASK = 0x0f;
const HAS_XATTRS = 0x10;
/** The extended attributes are those of the last entry that had some. */
const SAME_XATTRS = 0x20;

const IS_STORED = 0x01;
const IS_WHOLE = 0x02;
const HAS_HOLES = 0x10;
const HAS_TAIL = 0x20;

/** What is known of a regular file's content: nothing where it was passed over whenever the layer was read. */
export interface IndexedContent {
	/** As it went into a squashfs. */
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
export interface LayerIndex {
	readonly layer: LayerIdentity;
	readonly blockBytes: number;
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

/** Where a tail is: in a fragment block by its key, or by its number in the image that is being written. */
export interface TailPlace {
	readonly fragment: Uint8Array | number;
	readonly offset: number;
}

const UNKNOWN: IndexedContent = {};
const NO_XATTRS: TarEntry["xattrs"] = new Map();
const NO_RUNS: readonly number[] = [];
const NO_HASHES = Buffer.alloc(0);

/** Collects a layer's entries while it is read; each `entry` of a regular file is followed by one of `stored`, `whole` and `skipped`. */
export class LayerIndexWriter {
	readonly #blockBytes: number;
	readonly #out = new ByteWriter(1 << 16);
	readonly #previous: Iterator<IndexedEntry> | undefined;
	#previousContent: IndexedContent = UNKNOWN;
	/** Keys, or numbers that `encode` has resolved. */
	readonly #fragments: (Uint8Array | number)[] = [];
	readonly #fragmentNumbers = new Map<string, number>();
	#entryCount = 0;
	#lastPath = "";
	#lastXattrs = NO_XATTRS;
	#lastOffset = 0;

	/** `previous` knows contents that may be passed over this time. */
	constructor(blockBytes: number, previous?: LayerIndex) {
		this.#blockBytes = blockBytes;
		this.#previous = previous?.entries();
	}

	entry(entry: TarEntry): void {
		const out = this.#out;
		this.#entryCount++;
		const previous = this.#previous?.next();
		this.#previousContent = previous?.done === false ? previous.value.content : UNKNOWN;
		const sameXattrs = entry.xattrs.size > 0 && sameMap(entry.xattrs, this.#lastXattrs);
		const xattrFlags = entry.xattrs.size === 0 ? 0 : sameXattrs ? SAME_XATTRS : HAS_XATTRS;
		out.u8(ENTRY_TYPES.indexOf(entry.type) | xattrFlags);
		const shared = sharedPrefix(entry.path, this.#lastPath);
		this.#lastPath = entry.path;
		writeVarint(out, shared);
		writeText(out, entry.path.slice(shared));
		if (hasTarget(entry.type)) writeText(out, entry.linkTarget);
		for (const number of [entry.mode, entry.uid, entry.gid]) writeVarint(out, number);
		writeSignedVarint(out, entry.mtime.seconds);
		writeVarint(out, entry.mtime.nanoseconds);
		if (isDevice(entry.type)) {
			writeVarint(out, entry.major);
			writeVarint(out, entry.minor);
		}
		if (xattrFlags === HAS_XATTRS) this.#xattrs(entry.xattrs);
		writeVarint(out, entry.archiveOffset - this.#lastOffset);
		this.#lastOffset = entry.archiveOffset;
		if (entry.type === "file") writeVarint(out, entry.byteLength);
	}

	/** `tail` is where the tail is, if there is one: a fragment block by its key or its number in the image. */
	stored(recipe: FileRecipe, tail: TailPlace | undefined): void {
		this.#content({ recipe, tail }, this.#previousContent.whole);
	}

	/** The SHA-256 of a content that was kept aside. */
	whole(contentHash: Uint8Array): void {
		this.#content(this.#previousContent.stored, contentHash);
	}

	/** The content was passed over; what was known of it stays known. */
	skipped(): void {
		const { stored, whole } = this.#previousContent;
		this.#content(stored, whole);
	}

	/** The index file, once the blob was read to its end and had both digests. `keyOf` gives the key of a fragment block by its number. */
	encode(
		layer: LayerIdentity,
		tarBytes: number,
		notes: readonly string[],
		keyOf: (fragment: number) => Uint8Array,
	): Buffer {
		const body = new ByteWriter();
		for (const text of [layer.digest, layer.diffId, layer.compression]) writeText(body, text);
		writeVarint(body, layer.compressedBytes);
		for (const note of notes) {
			const text = Buffer.from(note);
			writeVarint(body, text.byteLength);
			body.bytes(text);
		}
		const before = body.view();
		const keys = this.#fragments.map((fragment) => (typeof fragment === "number" ? keyOf(fragment) : fragment));
		const entries = this.#out.view();
		const bodyBytes = before.byteLength + entries.byteLength + this.#fragments.length * HASH_BYTES;
		const header = INDEX_HEADER.encode({
			magic: MAGIC,
			version: INDEX_VERSION,
			blockBytes: this.#blockBytes,
			entryCount: this.#entryCount,
			noteCount: notes.length,
			fragmentCount: this.#fragments.length,
			tarBytes,
			bodyBytes,
			checksum: new Uint8Array(32),
		});
		const file = Buffer.concat([header, before, entries, ...keys]);
		file.set(hash("sha256", file, "buffer"), INDEX_HEADER.fields.checksum.offset);
		return file;
	}

	#content(
		stored: { readonly recipe: FileRecipe; readonly tail: TailPlace | undefined } | undefined,
		whole: Uint8Array | undefined,
	): void {
		const out = this.#out;
		const { hasHoles = false, tailHash } = stored?.recipe ?? {};
		const kinds = (stored === undefined ? 0 : IS_STORED) | (whole === undefined ? 0 : IS_WHOLE);
		out.u8(kinds | (hasHoles ? HAS_HOLES : 0) | (tailHash === undefined ? 0 : HAS_TAIL));
		if (stored !== undefined) {
			const { zeroRuns, blockHashes } = stored.recipe;
			writeVarint(out, zeroRuns.length / 2);
			for (const number of zeroRuns) writeVarint(out, number);
			out.bytes(blockHashes);
		}
		if (tailHash !== undefined) {
			assert(stored?.tail !== undefined, "a tail has a place");
			out.bytes(tailHash);
			writeVarint(out, this.#fragmentNumber(stored.tail.fragment));
			writeVarint(out, stored.tail.offset);
		}
		if (whole !== undefined) out.bytes(whole);
	}

	#xattrs(xattrs: TarEntry["xattrs"]): void {
		this.#lastXattrs = xattrs;
		writeVarint(this.#out, xattrs.size);
		for (const [name, value] of xattrs) {
			writeText(this.#out, name);
			writeVarint(this.#out, value.byteLength);
			this.#out.bytes(value);
		}
	}

	#fragmentNumber(key: Uint8Array | number): number {
		const name =
			typeof key === "number"
				? String(key)
				: Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
		const known = this.#fragmentNumbers.get(name);
		if (known !== undefined) return known;
		const number = this.#fragments.push(key) - 1;
		this.#fragmentNumbers.set(name, number);
		return number;
	}
}

/** Checks the file as a whole; undefined where it is not an index that was written in full. */
export function openLayerIndex(file: Buffer): LayerIndex | undefined {
	if (file.byteLength < INDEX_HEADER.byteLength) return undefined;
	const header = INDEX_HEADER.decode(file);
	const { blockBytes, entryCount, noteCount, fragmentCount, tarBytes, bodyBytes } = header;
	if (header.magic !== MAGIC || header.version !== INDEX_VERSION) return undefined;
	if (INDEX_HEADER.byteLength + bodyBytes !== file.byteLength || fragmentCount * HASH_BYTES > bodyBytes)
		return undefined;
	const { offset, byteLength } = INDEX_HEADER.fields.checksum;
	const actual = createHash("sha256")
		.update(file.subarray(0, offset))
		.update(Buffer.alloc(byteLength))
		.update(file.subarray(offset + byteLength))
		.digest();
	if (!actual.equals(header.checksum)) return undefined;
	try {
		const cursor = new ByteCursor(file, INDEX_HEADER.byteLength);
		const digest = cursor.latin1(cursor.varint());
		const diffId = cursor.latin1(cursor.varint());
		const compression = cursor.latin1(cursor.varint());
		const layer = { digest, diffId, compression, compressedBytes: cursor.varint() };
		if (noteCount > cursor.left) return undefined;
		const notes = Array.from({ length: noteCount }, () => cursor.bytes(cursor.varint()).toString());
		const entriesAt = cursor.position;
		const fragmentsAt = file.byteLength - fragmentCount * HASH_BYTES;
		if (entriesAt > fragmentsAt) return undefined;
		const body = {
			bytes: file.subarray(0, fragmentsAt),
			entriesAt,
			fragments: splitHashes(file.subarray(fragmentsAt)),
		};
		const entries = () => decodeEntries(body, header);
		const files = () => decodeFiles(body, header);
		return { layer, blockBytes, entryCount, tarBytes, notes, byteLength: file.byteLength, entries, files };
	} catch (error) {
		if (error instanceof BrokenIndex) return undefined;
		throw error;
	}
}

interface IndexBody {
	/** Up to the fragment keys. */
	readonly bytes: Buffer;
	readonly entriesAt: number;
	/** Each key is one object, whoever refers to it. */
	readonly fragments: readonly Buffer[];
}

interface IndexShape {
	readonly blockBytes: number;
	readonly entryCount: number;
}

function* decodeEntries(
	{ bytes, entriesAt, fragments }: IndexBody,
	{ blockBytes, entryCount }: IndexShape,
): Generator<IndexedEntry, void, undefined> {
	const cursor = new ByteCursor(bytes, entriesAt);
	let path = "";
	let xattrs = NO_XATTRS;
	let archiveOffset = 0;
	for (let index = 0; index < entryCount; index++) {
		const flags = cursor.u8();
		const type = typeOf(flags);
		path = path.slice(0, cursor.varint()) + cursor.latin1(cursor.varint());
		const linkTarget = hasTarget(type) ? cursor.latin1(cursor.varint()) : "";
		const mode = cursor.varint();
		const uid = cursor.varint();
		const gid = cursor.varint();
		const seconds = cursor.signedVarint();
		const nanoseconds = cursor.varint();
		const major = isDevice(type) ? cursor.varint() : 0;
		const minor = isDevice(type) ? cursor.varint() : 0;
		if ((flags & HAS_XATTRS) !== 0) xattrs = decodeXattrs(cursor);
		archiveOffset += cursor.varint();
		const byteLength = type === "file" ? cursor.varint() : 0;
		const entry = {
			index,
			type,
			path,
			linkTarget,
			mode,
			uid,
			gid,
			byteLength,
			mtime: { seconds, nanoseconds },
			major,
			minor,
			xattrs: (flags & (HAS_XATTRS | SAME_XATTRS)) === 0 ? NO_XATTRS : xattrs,
			archiveOffset,
		};
		yield { entry, content: type === "file" ? decodeContent(cursor, byteLength, blockBytes, fragments) : UNKNOWN };
	}
	if (cursor.left !== 0) throw new BrokenIndex("bytes follow the last entry");
}

/** Steps over what `decodeEntries` decodes. */
function* decodeFiles(
	{ bytes, entriesAt, fragments }: IndexBody,
	{ blockBytes, entryCount }: IndexShape,
): Generator<IndexedFile, void, undefined> {
	const cursor = new ByteCursor(bytes, entriesAt);
	for (let index = 0; index < entryCount; index++) {
		const flags = cursor.u8();
		const type = typeOf(flags);
		// what the path shares with the one before
		cursor.skipVarints(1);
		cursor.skip(cursor.varint());
		if (hasTarget(type)) cursor.skip(cursor.varint());
		// mode, owner, group, seconds, nanoseconds; major and minor number
		cursor.skipVarints(isDevice(type) ? 7 : 5);
		if ((flags & HAS_XATTRS) !== 0) skipXattrs(cursor);
		// where it is in the archive
		cursor.skipVarints(1);
		if (type !== "file") continue;
		const byteLength = cursor.varint();
		yield { index, byteLength, content: decodeContent(cursor, byteLength, blockBytes, fragments) };
	}
	if (cursor.left !== 0) throw new BrokenIndex("bytes follow the last entry");
}

function typeOf(flags: number): TarEntryType {
	const type = ENTRY_TYPES[flags & TYPE_MASK];
	if (type === undefined) throw new BrokenIndex("an entry of an unknown type");
	return type;
}

function decodeXattrs(cursor: ByteCursor): TarEntry["xattrs"] {
	const xattrs = new Map<string, Uint8Array>();
	for (let left = cursor.varint(); left > 0; left--) {
		const name = cursor.latin1(cursor.varint());
		// a copy: the view would keep the whole file in memory
		xattrs.set(name, Uint8Array.from(cursor.bytes(cursor.varint())));
	}
	return xattrs;
}

function skipXattrs(cursor: ByteCursor): void {
	for (let left = cursor.varint(); left > 0; left--) {
		cursor.skip(cursor.varint());
		cursor.skip(cursor.varint());
	}
}

function decodeContent(
	cursor: ByteCursor,
	byteLength: number,
	blockBytes: number,
	fragments: readonly Buffer[],
): IndexedContent {
	const flags = cursor.u8();
	const stored = (flags & IS_STORED) === 0 ? undefined : decodeStored(cursor, flags, byteLength, blockBytes, fragments);
	const whole = (flags & IS_WHOLE) === 0 ? undefined : cursor.bytes(HASH_BYTES);
	return stored === undefined && whole === undefined ? UNKNOWN : { stored, whole };
}

function decodeStored(
	cursor: ByteCursor,
	flags: number,
	byteLength: number,
	blockBytes: number,
	fragments: readonly Buffer[],
): StoredContent {
	const hasTail = (flags & HAS_TAIL) !== 0;
	if (hasTail && byteLength % blockBytes === 0) throw new BrokenIndex("a tail without bytes");
	const blockCount = blockCountOf(byteLength, blockBytes, hasTail);
	let zeroRuns: readonly number[] = NO_RUNS;
	let holes = 0;
	const runCount = cursor.varint();
	if (runCount > 0) {
		zeroRuns = decodeZeroRuns(cursor, runCount, blockCount);
		for (let i = 1; i < zeroRuns.length; i += 2) holes += zeroRuns[i] ?? 0;
	}
	const blockHashes = blockCount === holes ? NO_HASHES : cursor.bytes((blockCount - holes) * HASH_BYTES);
	const hasHoles = (flags & HAS_HOLES) !== 0;
	if (!hasTail)
		return { recipe: { byteLength, hasHoles, zeroRuns, blockHashes, tailHash: undefined }, tail: undefined };
	const tailHash = cursor.bytes(HASH_BYTES);
	const fragment = fragments[cursor.varint()];
	const offset = cursor.varint();
	if (fragment === undefined) throw new BrokenIndex("a fragment beyond the table");
	return { recipe: { byteLength, hasHoles, zeroRuns, blockHashes, tailHash }, tail: { fragment, offset } };
}

function decodeZeroRuns(cursor: ByteCursor, runCount: number, blockCount: number): number[] {
	const runs: number[] = [];
	let end = -1;
	for (let left = runCount; left > 0; left--) {
		const first = cursor.varint();
		const count = cursor.varint();
		if (first <= end || count === 0 || first + count > blockCount) throw new BrokenIndex("a run of zeros out of place");
		runs.push(first, count);
		end = first + count;
	}
	return runs;
}

function splitHashes(bytes: Buffer): Buffer[] {
	return Array.from({ length: bytes.byteLength / HASH_BYTES }, (_, i) =>
		bytes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES),
	);
}

function hasTarget(type: TarEntryType): boolean {
	return type === "hard-link" || type === "symlink";
}

function isDevice(type: TarEntryType): boolean {
	return type === "character-device" || type === "block-device";
}

function writeText(out: ByteWriter, text: string): void {
	writeVarint(out, text.length);
	out.latin1(text);
}

function sharedPrefix(a: string, b: string): number {
	const limit = Math.min(a.length, b.length);
	let length = 0;
	while (length < limit && a.charCodeAt(length) === b.charCodeAt(length)) length++;
	return length;
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

function sameMap(a: TarEntry["xattrs"], b: TarEntry["xattrs"]): boolean {
	if (a === b) return true;
	if (a.size !== b.size) return false;
	const others = b.entries();
	for (const [name, value] of a) {
		const [otherName, otherValue] = others.next().value ?? [];
		if (name !== otherName || otherValue === undefined || Buffer.compare(value, otherValue) !== 0) return false;
	}
	return true;
}
