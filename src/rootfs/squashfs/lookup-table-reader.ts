import type { ByteSource } from "../../binary/byte-source.ts";
import type { BlockDecompressor } from "../../codec/types.ts";
import { Recent } from "../../content/recent.ts";
import { corrupt } from "../../errors.ts";
import { METADATA_BLOCK_BYTES, SUPERBLOCK_BYTES } from "./constants.ts";
import { readMetadataBlock } from "./metadata-reader.ts";

const BLOCKS_KEPT = 32;

interface LookupTablePlace {
	readonly name: string;
	/** Absolute position of the list of block positions. */
	readonly positionsAt: number;
	readonly count: number;
	readonly recordBytes: number;
}

/** A table of equal records, addressed by index (2.3); blocks are read when they are needed. */
export class LookupTable {
	readonly #source: ByteSource;
	readonly #decompressor: BlockDecompressor;
	readonly place: LookupTablePlace;
	readonly #recent = new Recent<number, Uint8Array>(BLOCKS_KEPT);

	constructor(source: ByteSource, decompressor: BlockDecompressor, place: LookupTablePlace) {
		this.#source = source;
		this.#decompressor = decompressor;
		this.place = place;
	}

	get count(): number {
		return this.place.count;
	}

	/** Where the first block is; where the list of positions is when there is none. */
	async firstBlock(): Promise<number> {
		return this.place.count === 0 ? this.place.positionsAt : await this.#positionOf(0);
	}

	/** Throws `Oci2isoError` CORRUPT_METADATA when there is no such record. */
	async record(index: number): Promise<Uint8Array> {
		const { name, count, recordBytes } = this.place;
		if (index >= count) throw corrupt("CORRUPT_METADATA", `entry ${index} of the ${name} does not exist`);
		const at = index * recordBytes;
		const offset = at % METADATA_BLOCK_BYTES;
		const block = await this.#block((at - offset) / METADATA_BLOCK_BYTES);
		if (offset + recordBytes > block.byteLength)
			throw corrupt("CORRUPT_METADATA", `entry ${index} of the ${name} goes beyond its end`);
		return block.subarray(offset, offset + recordBytes);
	}

	async #block(index: number): Promise<Uint8Array> {
		const known = this.#recent.get(index);
		if (known !== undefined) return known;
		const bytes = await readMetadataBlock(this.#source, await this.#positionOf(index), this.#decompressor);
		this.#recent.set(index, bytes);
		return bytes;
	}

	async #positionOf(index: number): Promise<number> {
		const { name, positionsAt } = this.place;
		const bytes = await this.#source.read(positionsAt + 8 * index, 8);
		const position = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
		if (position < SUPERBLOCK_BYTES || position >= positionsAt)
			throw corrupt("CORRUPT_METADATA", `block ${index} of the ${name} is at ${position}`);
		return Number(position);
	}
}
