import { DIGEST_BYTES } from "../binary/digest-numbers.ts";
import { hashingWithBlank } from "../binary/hashing.ts";
import { from0, record } from "../binary/record.ts";
import type { Steps } from "../binary/turns.ts";
import { MiB } from "../binary/units.ts";
import { storedBytes as blockBytes, STORED_RAW } from "../content/block-size.ts";
import { STORE_VERSION } from "./settings.ts";

// A pack: header, description (JSON), table, data. It is immutable; what it holds decides its name.

/** `block`: a data block, by the SHA-256 of its content. `fragment`: a fragment block, by its recipe. `content`: a whole file that the root file system leaves out, as it is. */
const PACK_KINDS = ["block", "fragment", "content"] as const;
export type PackKind = (typeof PACK_KINDS)[number];

const MAX_BLOCK_BYTES = MiB;
/** Of one `content`. */
export const MAX_CONTENT_BYTES = 64 * MiB;
const MAX_DESCRIPTION_BYTES = 4096;
/** 4 GiB of layers in blocks of 4 KiB, four times over. */
export const MAX_PACK_ENTRIES = 2 ** 22;

const MAGIC = "O2IPACK\n";

const PACK_HEADER = record("pack header", 64, {
	magic: from0.text(0, 8),
	version: from0.u32le(8),
	entryCount: from0.u32le(12),
	descriptionBytes: from0.u32le(16),
	dataBytes: from0.safe64le(24),
	/** SHA-256 of the header with this field zero, the description and the table. */
	checksum: from0.bytes(32, 32),
});

const PACK_ENTRY = record("pack entry", 88, {
	key: from0.bytes(0, DIGEST_BYTES),
	/** SHA-256 of the stored bytes. */
	checksum: from0.bytes(32, 32),
	/** From the start of the data. */
	offset: from0.safe64le(64),
	/** As in `content/block-size.ts`; of a `content` the plain length. */
	storedSize: from0.u32le(72),
	/** Of the content, uncompressed. */
	rawBytes: from0.u32le(76),
	/** Index in `PACK_KINDS`. */
	kind: from0.u8(80),
});

export const PACK_HEADER_BYTES = PACK_HEADER.byteLength;

export interface PackDescription {
	/** Of the layer whose reading stored the blocks. */
	readonly diffId: string;
	/** `settingsText`. */
	readonly settings: string;
}

export interface PackEntry {
	readonly kind: PackKind;
	readonly key: Uint8Array;
	readonly checksum: Uint8Array;
	readonly offset: number;
	readonly storedSize: number;
	readonly rawBytes: number;
}

export interface PackHead {
	readonly description: PackDescription;
	readonly entryCount: number;
	readonly entries: Iterable<PackEntry>;
	/** Where the data starts: header, description and table come before it. */
	readonly dataOffset: number;
	readonly dataBytes: number;
	/** Of the whole file. */
	readonly byteLength: number;
	/** SHA-256 of all that describes the data, its checksums included: two packs with the same one are the same. */
	readonly checksum: Uint8Array;
}

/** Bytes before the data. */
export function packHeadBytes(description: PackDescription, entryCount: number): number {
	return PACK_HEADER.byteLength + encodeDescription(description).byteLength + entryCount * PACK_ENTRY.byteLength;
}

/** Length on disk without the "not compressed" bit. */
export function storedBytes({ kind, storedSize }: Pick<PackEntry, "kind" | "storedSize">): number {
	return kind === "content" ? storedSize : blockBytes(storedSize);
}

/** `entries` lie one after the other in `dataBytes` bytes of data. An entry a step. */
export function* encodingPackHead(
	description: PackDescription,
	entries: readonly PackEntry[],
	dataBytes: number,
): Steps<Buffer> {
	const text = encodeDescription(description);
	const header = PACK_HEADER.encode({
		magic: MAGIC,
		version: STORE_VERSION,
		entryCount: entries.length,
		descriptionBytes: text.byteLength,
		dataBytes,
		checksum: new Uint8Array(32),
	});
	let end = header.byteLength + text.byteLength;
	const head = Buffer.alloc(end + entries.length * PACK_ENTRY.byteLength);
	head.set(header);
	head.set(text, header.byteLength);
	const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
	for (const entry of entries) {
		PACK_ENTRY.encodeInto({ ...entry, kind: PACK_KINDS.indexOf(entry.kind) }, view, end);
		end += PACK_ENTRY.byteLength;
		yield;
	}
	const { checksum } = PACK_HEADER.fields;
	head.set(yield* hashingWithBlank(head, checksum), checksum.offset);
	return head;
}

/** From the first `PACK_HEADER_BYTES`: how many bytes `decodePackHead` needs. Undefined: this is no pack. */
export function packHeadLength(bytes: Uint8Array): number | undefined {
	if (bytes.byteLength < PACK_HEADER.byteLength) return undefined;
	const { magic, version, entryCount, descriptionBytes } = PACK_HEADER.decode(bytes);
	if (magic !== MAGIC || version !== STORE_VERSION) return undefined;
	if (entryCount > MAX_PACK_ENTRIES || descriptionBytes > MAX_DESCRIPTION_BYTES) return undefined;
	return PACK_HEADER.byteLength + descriptionBytes + entryCount * PACK_ENTRY.byteLength;
}

/** The head of a pack of `fileBytes`; undefined where it is not whole and consistent. `head` has the length that `packHeadLength` says. In steps. */
export function* decodingPackHead(head: Buffer, fileBytes: number): Steps<PackHead | undefined> {
	if (packHeadLength(head) !== head.byteLength) return undefined;
	const { entryCount, descriptionBytes, dataBytes, checksum } = PACK_HEADER.decode(head);
	if (!(yield* hashingWithBlank(head, PACK_HEADER.fields.checksum)).equals(checksum)) return undefined;
	if (head.byteLength + dataBytes !== fileBytes) return undefined;
	const tableAt = PACK_HEADER.byteLength + descriptionBytes;
	const description = decodeDescription(head.subarray(PACK_HEADER.byteLength, tableAt));
	if (description === undefined) return undefined;
	const entries = function* (): Generator<PackEntry> {
		for (let i = 0; i < entryCount; i++) {
			const entry = decodeEntry(head, tableAt + i * PACK_ENTRY.byteLength, dataBytes);
			if (entry !== undefined) yield entry;
		}
	};
	return {
		description,
		entryCount,
		entries: { [Symbol.iterator]: entries },
		dataOffset: head.byteLength,
		dataBytes,
		byteLength: fileBytes,
		checksum,
	};
}

/** Undefined for an entry that points beyond the data or beyond what its kind may have. */
function decodeEntry(head: Buffer, at: number, dataBytes: number): PackEntry | undefined {
	const { kind: number, ...entry } = PACK_ENTRY.decode(head, at);
	const kind = PACK_KINDS[number];
	if (kind === undefined) return undefined;
	const length = storedBytes({ kind, storedSize: entry.storedSize });
	const isPlain = kind === "content" || (entry.storedSize & STORED_RAW) !== 0;
	const maxBytes = kind === "content" ? MAX_CONTENT_BYTES : MAX_BLOCK_BYTES;
	const fits =
		entry.rawBytes <= maxBytes && length <= maxBytes && (kind === "content" || entry.storedSize < 2 * STORED_RAW);
	if (!fits || length === 0 || (isPlain && length !== entry.rawBytes) || entry.offset + length > dataBytes)
		return undefined;
	return { kind, ...entry };
}

function encodeDescription({ diffId, settings }: PackDescription): Buffer {
	return Buffer.from(JSON.stringify({ diffId, settings }));
}

function decodeDescription(bytes: Buffer): PackDescription | undefined {
	try {
		const value: unknown = JSON.parse(bytes.toString());
		if (typeof value !== "object" || value === null) return undefined;
		const { diffId, settings } = value as Partial<Record<string, unknown>>;
		return typeof diffId === "string" && typeof settings === "string" ? { diffId, settings } : undefined;
	} catch {
		return undefined;
	}
}
