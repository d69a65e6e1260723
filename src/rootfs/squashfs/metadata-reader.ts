import type { ByteSource } from "../../binary/byte-source.ts";
import { MiB } from "../../binary/units.ts";
import type { BlockDecompressor } from "../../codec/types.ts";
import { Recent } from "../../content/recent.ts";
import { corrupt, type Oci2isoError } from "../../errors.ts";
import { METADATA_BLOCK_BYTES, METADATA_STORED_RAW } from "./constants.ts";

const BLOCKS_KEPT = 128;
const SCAN_BYTES = MiB;
/** Content of 8 GiB; the positions of more blocks are not worth the memory. */
const MAX_BLOCKS = 2 ** 20;

/** Decodes one metadata block, given its header. Throws `Oci2isoError` CORRUPT_METADATA or what the codec throws. */
export async function readMetadataBlock(
	source: ByteSource,
	position: number,
	decompressor: BlockDecompressor,
): Promise<Uint8Array> {
	const head = await source.read(position, 2);
	const header = Number(head[0]) | (Number(head[1]) << 8);
	const length = metadataLength(header, position);
	const bytes = await source.read(position + 2, length);
	return header & METADATA_STORED_RAW ? bytes : decompressor.decompress(bytes, METADATA_BLOCK_BYTES);
}

/** A metadata table whose records are addressed by block and offset: inodes, directory listings, xattr pairs (2.2). */
export class MetadataTable {
	readonly #source: ByteSource;
	readonly #decompressor: BlockDecompressor;
	readonly #name: string;
	/** Absolute position of each block, ascending. */
	readonly #positions: readonly number[];
	readonly #indexes: ReadonlyMap<number, number>;
	readonly #start: number;
	readonly #recent = new Recent<number, Uint8Array>(BLOCKS_KEPT);

	private constructor(
		source: ByteSource,
		decompressor: BlockDecompressor,
		name: string,
		start: number,
		positions: readonly number[],
	) {
		this.#source = source;
		this.#decompressor = decompressor;
		this.#name = name;
		this.#start = start;
		this.#positions = positions;
		this.#indexes = new Map(positions.map((position, index) => [position, index]));
	}

	/** Finds the table's blocks, which fill `start` to `end` without gaps. Throws `Oci2isoError` CORRUPT_METADATA. */
	static async open(
		source: ByteSource,
		decompressor: BlockDecompressor,
		name: string,
		start: number,
		end: number,
	): Promise<MetadataTable> {
		const positions: number[] = [];
		let window: Uint8Array = new Uint8Array(0);
		let windowStart = start;
		let position = start;
		while (position < end) {
			if (position + 2 > windowStart + window.byteLength) {
				if (position + 2 > end) throw corrupt("CORRUPT_METADATA", `the ${name} ends in a block's header`);
				windowStart = position;
				window = await source.read(position, Math.min(SCAN_BYTES, end - position));
			}
			const at = position - windowStart;
			if (positions.length === MAX_BLOCKS) throw corrupt("CORRUPT_METADATA", `the ${name} has too many blocks`);
			positions.push(position);
			position += 2 + metadataLength(Number(window[at]) | (Number(window[at + 1]) << 8), position);
		}
		if (position !== end) throw corrupt("CORRUPT_METADATA", `the ${name} ends inside a block`, `offset ${end}`);
		return new MetadataTable(source, decompressor, name, start, positions);
	}

	/** No record begins or ends beyond this many bytes of content. */
	get maxContentBytes(): number {
		return this.#positions.length * METADATA_BLOCK_BYTES;
	}

	/** At a record; `block` is relative to the table's beginning. Throws `Oci2isoError` CORRUPT_METADATA where no block begins there. */
	cursor(block: number, offset: number): MetadataCursor {
		const index = this.#indexes.get(this.#start + block);
		if (index === undefined || offset >= METADATA_BLOCK_BYTES)
			throw corrupt("CORRUPT_METADATA", `the ${this.#name} has nothing at block ${block}, byte ${offset}`);
		return new MetadataCursor(this, index * METADATA_BLOCK_BYTES + offset);
	}

	/** The content of one block: 8192 bytes, the last block may have fewer. */
	async block(index: number): Promise<Uint8Array> {
		const known = this.#recent.get(index);
		if (known !== undefined) return known;
		const position = this.#positions[index];
		if (position === undefined) throw this.endError();
		const bytes = await readMetadataBlock(this.#source, position, this.#decompressor);
		if (bytes.byteLength !== METADATA_BLOCK_BYTES && index !== this.#positions.length - 1)
			throw corrupt("CORRUPT_METADATA", `a block of the ${this.#name} is short`, `offset ${position}`);
		this.#recent.set(index, bytes);
		return bytes;
	}

	endError(): Oci2isoError {
		return corrupt("CORRUPT_METADATA", `a record of the ${this.#name} goes beyond its end`);
	}
}

/** Reads records one after the other. */
export class MetadataCursor {
	readonly #table: MetadataTable;
	#position: number;

	/** `position` counts bytes of content. */
	constructor(table: MetadataTable, position: number) {
		this.#table = table;
		this.#position = position;
	}

	/** Bytes of content from the table's beginning. */
	get position(): number {
		return this.#position;
	}

	/** Throws `Oci2isoError` CORRUPT_METADATA where the table has fewer bytes. */
	async read(byteLength: number): Promise<Uint8Array> {
		if (this.#position + byteLength > this.#table.maxContentBytes) throw this.#table.endError();
		const offset = this.#position % METADATA_BLOCK_BYTES;
		const block = await this.#table.block((this.#position - offset) / METADATA_BLOCK_BYTES);
		if (offset + byteLength <= block.byteLength) {
			this.#position += byteLength;
			return block.subarray(offset, offset + byteLength);
		}
		return this.#readAcross(byteLength);
	}

	fork(): MetadataCursor {
		return new MetadataCursor(this.#table, this.#position);
	}

	async #readAcross(byteLength: number): Promise<Uint8Array> {
		const bytes = new Uint8Array(byteLength);
		for (let at = 0; at < byteLength; ) {
			const offset = this.#position % METADATA_BLOCK_BYTES;
			const block = await this.#table.block((this.#position - offset) / METADATA_BLOCK_BYTES);
			const part = block.subarray(offset, offset + byteLength - at);
			if (part.byteLength === 0) throw this.#table.endError();
			bytes.set(part, at);
			at += part.byteLength;
			this.#position += part.byteLength;
		}
		return bytes;
	}
}

function metadataLength(header: number, position: number): number {
	const length = header & (METADATA_STORED_RAW - 1);
	if (length === 0 || length > METADATA_BLOCK_BYTES)
		throw corrupt("CORRUPT_METADATA", `a metadata block has the header ${header}`, `offset ${position}`);
	return length;
}
