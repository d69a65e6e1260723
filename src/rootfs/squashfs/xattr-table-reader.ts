import type { ByteSource } from "../../binary/byte-source.ts";
import { type ByteString, byteStringOf } from "../../binary/byte-string.ts";
import { MiB } from "../../binary/units.ts";
import type { BlockDecompressor } from "../../codec/types.ts";
import { corrupt } from "../../errors.ts";
import { MAX_XATTR_NAME_BYTES } from "../limits.ts";
import { XATTR_OUT_OF_LINE, XATTR_PREFIXES } from "./constants.ts";
import { MAX_XATTR_VALUE_BYTES } from "./limits.ts";
import { LookupTable } from "./lookup-table-reader.ts";
import { type MetadataCursor, MetadataTable } from "./metadata-reader.ts";
import { XATTR_ID_ENTRY, XATTR_TABLE_HEADER } from "./records.ts";

/** Linux lists no more names than this for one inode. */
const MAX_NAMES_BYTES = 65_536;
/** Of all sets together: a small image can repeat one large value many times. */
const MAX_TOTAL_BYTES = 256 * MiB;

/** The extended attribute table (10). */
export class XattrTable {
	readonly ids: LookupTable;
	readonly pairsPosition: number;
	readonly #pairs: MetadataTable;
	readonly #sets = new Map<number, ReadonlyMap<ByteString, Uint8Array>>();
	#totalBytes = 0;

	private constructor(pairs: MetadataTable, pairsPosition: number, ids: LookupTable) {
		this.#pairs = pairs;
		this.pairsPosition = pairsPosition;
		this.ids = ids;
	}

	/** `position` is the superblock's. Throws `Oci2isoError` CORRUPT_METADATA. */
	static async open(source: ByteSource, decompressor: BlockDecompressor, position: number): Promise<XattrTable> {
		const headerBytes = await source.read(position, XATTR_TABLE_HEADER.byteLength);
		const { pairsPosition, setCount } = XATTR_TABLE_HEADER.decode(headerBytes);
		const ids = new LookupTable(source, decompressor, {
			name: "xattr id table",
			positionsAt: position + XATTR_TABLE_HEADER.byteLength,
			count: setCount,
			recordBytes: XATTR_ID_ENTRY.byteLength,
		});
		const end = setCount === 0 ? position : await ids.firstBlock();
		if (pairsPosition > end)
			throw corrupt("CORRUPT_METADATA", `the xattr pairs are at ${pairsPosition}`, undefined, `at most ${end}`);
		const pairs = await MetadataTable.open(source, decompressor, "xattr table", pairsPosition, end);
		return new XattrTable(pairs, pairsPosition, ids);
	}

	/** One set by full names; the same object for the same index. */
	async set(index: number): Promise<ReadonlyMap<ByteString, Uint8Array>> {
		const known = this.#sets.get(index);
		if (known !== undefined) return known;
		const { reference, pairCount } = XATTR_ID_ENTRY.decode(await this.ids.record(index));
		const cursor = this.#cursor(reference);
		const pairs = new Map<ByteString, Uint8Array>();
		let namesBytes = 0;
		for (let i = 0; i < pairCount; i++) {
			const { name, value } = await this.#readPair(cursor);
			namesBytes += name.length + 1;
			this.#totalBytes += value.byteLength + name.length;
			if (namesBytes > MAX_NAMES_BYTES || this.#totalBytes > MAX_TOTAL_BYTES || pairs.has(name))
				throw corrupt("CORRUPT_METADATA", `the extended attributes of set ${index} repeat or are too many`);
			pairs.set(name, value);
		}
		this.#sets.set(index, pairs);
		return pairs;
	}

	async #readPair(cursor: MetadataCursor): Promise<{ name: ByteString; value: Uint8Array }> {
		const key = view(await cursor.read(4));
		const type = key.getUint16(0, true);
		const nameBytes = key.getUint16(2, true);
		const prefix = XATTR_PREFIXES[type & ~XATTR_OUT_OF_LINE];
		if (prefix === undefined || nameBytes > MAX_XATTR_NAME_BYTES)
			throw corrupt("CORRUPT_METADATA", `an extended attribute has type ${type} and a name of ${nameBytes} bytes`);
		const name = prefix + byteStringOf(await cursor.read(nameBytes));
		const inline = await readValue(cursor);
		if ((type & XATTR_OUT_OF_LINE) === 0) return { name, value: inline };
		if (inline.byteLength !== 8)
			throw corrupt("CORRUPT_METADATA", `the value of ${name} is a reference of ${inline.byteLength} bytes`);
		return { name, value: await readValue(this.#cursor(Number(view(inline).getBigUint64(0, true)))) };
	}

	#cursor(reference: number): MetadataCursor {
		return this.#pairs.cursor(Math.floor(reference / 0x1_0000), reference % 0x1_0000);
	}
}

async function readValue(cursor: MetadataCursor): Promise<Uint8Array> {
	const byteLength = view(await cursor.read(4)).getUint32(0, true);
	if (byteLength > MAX_XATTR_VALUE_BYTES)
		throw corrupt("CORRUPT_METADATA", `an extended attribute has a value of ${byteLength} bytes`);
	return (await cursor.read(byteLength)).slice();
}

function view(bytes: Uint8Array): DataView {
	return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
