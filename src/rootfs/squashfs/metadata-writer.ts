import type { Fields, RecordType, ValuesOf } from "../../binary/record.ts";
import type { BlockCompressor } from "../../codec/types.ts";
import { METADATA_BLOCK_BYTES, METADATA_STORED_RAW } from "./constants.ts";

/** Where something in a metadata table begins (2.2). */
export interface MetadataPosition {
	/** Bytes on disk from the table's beginning to the block's header. */
	readonly block: number;
	/** In the block's content: 0 to 8191. */
	readonly offset: number;
}

/** A stream of records, cut into blocks of 8 KiB that are compressed one by one, each after a header of two bytes (2.2). */
export class MetadataWriter {
	readonly #compressor: Pick<BlockCompressor, "compressNow">;
	readonly #emit: (bytes: Uint8Array) => void;
	readonly #block = Buffer.alloc(METADATA_BLOCK_BYTES);
	readonly #view = new DataView(this.#block.buffer, this.#block.byteOffset, METADATA_BLOCK_BYTES);
	#filled = 0;
	#storedBytes = 0;
	#contentBytes = 0;

	/** `emit` gets the table's bytes in order, and owns them. */
	constructor(compressor: Pick<BlockCompressor, "compressNow">, emit: (bytes: Uint8Array) => void) {
		this.#compressor = compressor;
		this.#emit = emit;
	}

	/** Of the byte that is written next. */
	get position(): MetadataPosition {
		return { block: this.#storedBytes, offset: this.#filled };
	}

	/** Bytes written so far, before compression. */
	get contentBytes(): number {
		return this.#contentBytes;
	}

	/** Bytes emitted so far: the table's length on disk after `finish`. */
	get storedBytes(): number {
		return this.#storedBytes;
	}

	write(bytes: Uint8Array): void {
		for (let at = 0; at < bytes.byteLength; ) {
			const length = Math.min(METADATA_BLOCK_BYTES - this.#filled, bytes.byteLength - at);
			this.#block.set(length === bytes.byteLength ? bytes : bytes.subarray(at, at + length), this.#filled);
			at += length;
			this.#advance(length);
		}
	}

	/** As `write` of the encoded record; tables have hundreds of thousands of them, and most fit the block. */
	record<Table extends Fields>(type: RecordType<Table>, values: ValuesOf<Table>): void {
		const end = this.#filled + type.byteLength;
		if (end > METADATA_BLOCK_BYTES) {
			this.write(type.encode(values));
			return;
		}
		this.#block.fill(0, this.#filled, end);
		type.encodeInto(values, this.#view, this.#filled);
		this.#advance(type.byteLength);
	}

	finish(): void {
		if (this.#filled > 0) this.#flush();
	}

	#advance(byteLength: number): void {
		this.#contentBytes += byteLength;
		this.#filled += byteLength;
		if (this.#filled === METADATA_BLOCK_BYTES) this.#flush();
	}

	#flush(): void {
		const { compressed, bytes } = this.#compressor.compressNow(this.#block.subarray(0, this.#filled));
		const stored = Buffer.alloc(2 + bytes.byteLength);
		stored.writeUInt16LE(compressed ? bytes.byteLength : bytes.byteLength | METADATA_STORED_RAW);
		stored.set(bytes, 2);
		this.#emit(stored);
		this.#storedBytes += stored.byteLength;
		this.#filled = 0;
	}
}

/** Collects a metadata table in memory, compressed, for a place that is not known yet. */
export class MetadataBuffer {
	readonly writer: MetadataWriter;
	readonly #parts: Uint8Array[] = [];

	constructor(compressor: Pick<BlockCompressor, "compressNow">) {
		this.writer = new MetadataWriter(compressor, (bytes) => this.#parts.push(bytes));
	}

	/** The whole table in order. */
	finish(): readonly Uint8Array[] {
		this.writer.finish();
		return this.#parts;
	}
}
