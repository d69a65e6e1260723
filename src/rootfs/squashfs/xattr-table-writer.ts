import { createHash } from "node:crypto";
import { type ByteString, compareByteStrings } from "../../binary/byte-string.ts";
import { ByteWriter } from "../../binary/byte-writer.ts";
import type { Steps } from "../../binary/turns.ts";
import type { BlockCompressor } from "../../codec/types.ts";
import { MAX_XATTR_NAME_BYTES } from "../limits.ts";
import { NONE_32, XATTR_OUT_OF_LINE, XATTR_PREFIXES } from "./constants.ts";
import { MAX_XATTR_VALUE_BYTES } from "./limits.ts";
import { type Cursor, writeLookupTable } from "./lookup-table-writer.ts";
import { MetadataBuffer } from "./metadata-writer.ts";
import { XATTR_ID_ENTRY, XATTR_TABLE_HEADER } from "./records.ts";

interface StorableXattr {
	readonly prefix: number;
	/** Without the prefix. */
	readonly name: ByteString;
	readonly value: Uint8Array;
}

/** Values from this length on are stored once; a reference takes 8 bytes. */
const SHARED_VALUE_BYTES = 128;

/** The extended attribute table (10): each distinct set of attributes once. */
export class XattrTableWriter {
	readonly #compressor: Pick<BlockCompressor, "compressNow">;
	readonly #pairs: MetadataBuffer;
	readonly #sets = new Map<string, number>();
	readonly #values = new Map<string, number>();
	readonly #entries = new ByteWriter();

	constructor(compressor: Pick<BlockCompressor, "compressNow">) {
		this.#compressor = compressor;
		this.#pairs = new MetadataBuffer(compressor);
	}

	get setCount(): number {
		return this.#sets.size;
	}

	/**
	 * Index of the inode's set, or `NONE_32` when nothing of it can be stored.
	 * Calls `onUnstorable` for each attribute that squashfs has no place for.
	 */
	indexOf(xattrs: ReadonlyMap<ByteString, Uint8Array>, onUnstorable: (name: ByteString) => void): number {
		if (xattrs.size === 0) return NONE_32;
		const pairs: StorableXattr[] = [];
		for (const name of [...xattrs.keys()].sort(compareByteStrings)) {
			const value = xattrs.get(name) ?? new Uint8Array(0);
			const storable = storableXattr(name, value);
			if (storable === undefined) onUnstorable(name);
			else pairs.push(storable);
		}
		if (pairs.length === 0) return NONE_32;
		const key = keyOf(pairs);
		const known = this.#sets.get(key);
		if (known !== undefined) return known;
		const index = this.#sets.size;
		this.#sets.set(key, index);
		this.#writeSet(pairs);
		return index;
	}

	/** In steps. Returns where the superblock finds the table, or undefined where no inode has attributes. */
	*write(out: Cursor): Steps<number | undefined> {
		if (this.#sets.size === 0) return undefined;
		const header = { pairsPosition: out.position, setCount: this.#sets.size };
		for (const part of this.#pairs.finish()) out.write(part);
		return yield* writeLookupTable(out, this.#compressor, this.#entries.view(), XATTR_TABLE_HEADER.encode(header));
	}

	#writeSet(pairs: readonly StorableXattr[]): void {
		const table = this.#pairs.writer;
		const start = table.contentBytes;
		const { block, offset } = table.position;
		for (const pair of pairs) this.#writePair(pair);
		this.#entries.bytes(
			XATTR_ID_ENTRY.encode({
				reference: block * 0x1_0000 + offset,
				pairCount: pairs.length,
				byteLength: table.contentBytes - start,
			}),
		);
	}

	#writePair({ prefix, name, value }: StorableXattr): void {
		const table = this.#pairs.writer;
		const shared = value.byteLength >= SHARED_VALUE_BYTES ? sha256(value) : undefined;
		const earlier = shared === undefined ? undefined : this.#values.get(shared);
		const type = earlier === undefined ? prefix : prefix | XATTR_OUT_OF_LINE;
		const key = new ByteWriter(4 + name.length).u16le(type).u16le(name.length).latin1(name);
		table.write(key.view());
		if (earlier !== undefined) {
			table.write(new ByteWriter(12).u32le(8).safe64le(earlier).view());
			return;
		}
		const { block, offset } = table.position;
		if (shared !== undefined) this.#values.set(shared, block * 0x1_0000 + offset);
		table.write(new ByteWriter(4).u32le(value.byteLength).view());
		table.write(value);
	}
}

/** Whether squashfs, and Linux reading it, have a place for an attribute of this full name and value. */
export function isStorableXattr(name: ByteString, value: Uint8Array): boolean {
	return storableXattr(name, value) !== undefined;
}

function storableXattr(name: ByteString, value: Uint8Array): StorableXattr | undefined {
	const prefix = XATTR_PREFIXES.findIndex((text) => name.startsWith(text));
	const rest = name.slice(XATTR_PREFIXES[prefix]?.length ?? 0);
	const fits =
		prefix !== -1 &&
		rest.length > 0 &&
		name.length <= MAX_XATTR_NAME_BYTES &&
		!rest.includes("\0") &&
		value.byteLength <= MAX_XATTR_VALUE_BYTES;
	return fits ? { prefix, name: rest, value } : undefined;
}

function keyOf(pairs: readonly StorableXattr[]): string {
	const hash = createHash("sha256");
	for (const { prefix, name, value } of pairs)
		hash.update(`${prefix} ${name.length} ${value.byteLength} ${name}`, "latin1").update(value);
	return hash.digest("binary");
}

function sha256(bytes: Uint8Array): string {
	return createHash("sha256").update(bytes).digest("binary");
}
