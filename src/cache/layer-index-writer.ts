import { ByteWriter } from "../binary/byte-writer.ts";
import { DIGEST_BYTES } from "../binary/digest-numbers.ts";
import { hashingWithBlank } from "../binary/hashing.ts";
import type { Steps } from "../binary/turns.ts";
import { KiB } from "../binary/units.ts";
import { NO_XATTRS } from "../binary/xattrs.ts";
import { type Cut, type FileRecipe, ruleOf } from "../content/file-recipe.ts";
import { FRAGMENT_RULES } from "../content/fragment-rule.ts";
import { assert } from "../errors.ts";
import type { TarEntry } from "../formats/tar/entry.ts";
import { writeSignedVarint, writeVarint } from "./byte-cursor.ts";
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
	IS_STORED,
	IS_WHOLE,
	isDevice,
	type LayerIdentity,
	type LayerIndex,
	MAGIC,
	SAME_XATTRS,
	sameMap,
	UNKNOWN,
} from "./layer-index-format.ts";

const PART_BYTES = 64 * KiB;
/** For one entry more, as most are. */
const PART_ROOM_BYTES = KiB;

/** Where a tail is: in a fragment block by its key, or by its number in the image that is being written. */
interface TailPlace {
	readonly fragment: Uint8Array | number;
	readonly offset: number;
}

/** Collects a layer's entries while it is read; each `entry` of a regular file is followed by one of `stored`, `whole` and `skipped`. */
export class LayerIndexWriter {
	readonly #cut: Cut;
	/** The entries' bytes, but for those in `#out`: no copy of all of them is made before the end. */
	readonly #parts: Buffer[] = [];
	#partsBytes = 0;
	#out = new ByteWriter(PART_BYTES);
	readonly #previous: Iterator<IndexedEntry> | undefined;
	#previousContent: IndexedContent = UNKNOWN;
	/** Keys, or numbers that `encoding` resolves. */
	readonly #fragments: (Uint8Array | number)[] = [];
	readonly #fragmentNumbers = new Map<string, number>();
	#entryCount = 0;
	#lastPath = "";
	#lastXattrs = NO_XATTRS;
	#lastOffset = 0;

	/** `previous` knows contents that may be passed over this time. */
	constructor(cut: Cut, previous?: LayerIndex) {
		this.#cut = cut;
		this.#previous = previous?.entries();
	}

	entry(entry: TarEntry): void {
		if (this.#out.length >= PART_BYTES - PART_ROOM_BYTES) this.#endPart();
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

	/** The index file, once the blob was read to its end and had both digests, in steps. `keyOf` gives the key of a fragment block by its number. */
	*encoding(
		layer: LayerIdentity,
		tarBytes: number,
		notes: readonly string[],
		keyOf: (fragment: number) => Uint8Array,
	): Steps<Buffer> {
		const body = new ByteWriter();
		for (const text of [layer.digest, layer.diffId, layer.compression]) writeText(body, text);
		writeVarint(body, layer.compressedBytes);
		for (const note of notes) {
			const text = Buffer.from(note);
			writeVarint(body, text.byteLength);
			body.bytes(text);
		}
		const before = body.view();
		this.#endPart();
		const bodyBytes = before.byteLength + this.#partsBytes + this.#fragments.length * DIGEST_BYTES;
		const header = INDEX_HEADER.encode({
			magic: MAGIC,
			version: INDEX_VERSION,
			blockBytes: this.#cut.blockBytes,
			fragmentRule: FRAGMENT_RULES.indexOf(ruleOf(this.#cut)),
			entryCount: this.#entryCount,
			noteCount: notes.length,
			fragmentCount: this.#fragments.length,
			tarBytes,
			bodyBytes,
			checksum: new Uint8Array(32),
		});
		const file = Buffer.allocUnsafe(header.byteLength + bodyBytes);
		let end = 0;
		const add = (bytes: Uint8Array): void => {
			file.set(bytes, end);
			end += bytes.byteLength;
		};
		add(header);
		add(before);
		for (const part of this.#parts) {
			add(part);
			yield;
		}
		for (const fragment of this.#fragments) {
			add(typeof fragment === "number" ? keyOf(fragment) : fragment);
			yield;
		}
		const { checksum } = INDEX_HEADER.fields;
		file.set(yield* hashingWithBlank(file, checksum), checksum.offset);
		return file;
	}

	#endPart(): void {
		this.#parts.push(this.#out.view());
		this.#partsBytes += this.#out.length;
		this.#out = new ByteWriter(PART_BYTES);
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
