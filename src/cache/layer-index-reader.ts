import { DIGEST_BYTES } from "../binary/digest-numbers.ts";
import { hashingWithBlank } from "../binary/hashing.ts";
import type { Steps } from "../binary/turns.ts";
import { NO_XATTRS } from "../binary/xattrs.ts";
import { blockCountOf } from "../content/file-recipe.ts";
import { FRAGMENT_RULES } from "../content/fragment-rule.ts";
import type { TarEntry, TarEntryType } from "../formats/tar/entry.ts";
import { ByteCursor } from "./byte-cursor.ts";
import { BrokenIndex } from "./failures.ts";
import {
	ENTRY_TYPES,
	HAS_HOLES,
	HAS_TAIL,
	HAS_XATTRS,
	hasTarget,
	INDEX_HEADER,
	INDEX_VERSION,
	type IndexedContent,
	type IndexedEntry,
	type IndexedFile,
	IS_STORED,
	IS_WHOLE,
	isDevice,
	type LayerIndex,
	MAGIC,
	SAME_XATTRS,
	type StoredContent,
	TYPE_MASK,
	UNKNOWN,
} from "./layer-index-format.ts";

const NO_RUNS: readonly number[] = [];
const NO_HASHES = Buffer.alloc(0);

/** Checks the file as a whole, in steps; undefined where it is not an index that was written in full. */
export function* openingLayerIndex(file: Buffer): Steps<LayerIndex | undefined> {
	if (file.byteLength < INDEX_HEADER.byteLength) return undefined;
	const header = INDEX_HEADER.decode(file);
	const { blockBytes, entryCount, noteCount, fragmentCount, tarBytes, bodyBytes } = header;
	const fragmentRule = FRAGMENT_RULES[header.fragmentRule];
	if (header.magic !== MAGIC || header.version !== INDEX_VERSION || fragmentRule === undefined) return undefined;
	if (INDEX_HEADER.byteLength + bodyBytes !== file.byteLength || fragmentCount * DIGEST_BYTES > bodyBytes)
		return undefined;
	if (!(yield* hashingWithBlank(file, INDEX_HEADER.fields.checksum)).equals(header.checksum)) return undefined;
	try {
		const cursor = new ByteCursor(file, INDEX_HEADER.byteLength);
		const digest = cursor.latin1(cursor.varint());
		const diffId = cursor.latin1(cursor.varint());
		const compression = cursor.latin1(cursor.varint());
		const layer = { digest, diffId, compression, compressedBytes: cursor.varint() };
		if (noteCount > cursor.left) return undefined;
		const notes = Array.from({ length: noteCount }, () => cursor.bytes(cursor.varint()).toString());
		const entriesAt = cursor.position;
		const fragmentsAt = file.byteLength - fragmentCount * DIGEST_BYTES;
		if (entriesAt > fragmentsAt) return undefined;
		const body = {
			bytes: file.subarray(0, fragmentsAt),
			entriesAt,
			fragments: yield* splittingHashes(file.subarray(fragmentsAt)),
		};
		const entries = () => decodeEntries(body, header);
		const files = () => decodeFiles(body, header);
		const byteLength = file.byteLength;
		return { layer, blockBytes, fragmentRule, entryCount, tarBytes, notes, byteLength, entries, files };
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
	const whole = (flags & IS_WHOLE) === 0 ? undefined : cursor.bytes(DIGEST_BYTES);
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
	const blockHashes = blockCount === holes ? NO_HASHES : cursor.bytes((blockCount - holes) * DIGEST_BYTES);
	const hasHoles = (flags & HAS_HOLES) !== 0;
	if (!hasTail)
		return { recipe: { byteLength, hasHoles, zeroRuns, blockHashes, tailHash: undefined }, tail: undefined };
	const tailHash = cursor.bytes(DIGEST_BYTES);
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

function* splittingHashes(bytes: Buffer): Steps<Buffer[]> {
	const hashes: Buffer[] = [];
	for (let at = 0; at < bytes.byteLength; at += DIGEST_BYTES) {
		hashes.push(bytes.subarray(at, at + DIGEST_BYTES));
		yield;
	}
	return hashes;
}
