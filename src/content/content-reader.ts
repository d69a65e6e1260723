import type { ByteSource } from "../binary/byte-source.ts";
import { alignUp, MiB } from "../binary/units.ts";
import type { BlockDecompressor } from "../codec/types.ts";
import { corrupt, type Oci2isoError } from "../errors.ts";
import { STORED_RAW, storedBytes } from "./block-size.ts";
import type { FileLayout } from "./file-layout.ts";
import { type Alignment, UNALIGNED } from "./placement.ts";
import { Recent } from "./recent.ts";
import type { BlockPlace } from "./stored-data.ts";

const MAX_CHUNK_BYTES = MiB;
const FRAGMENTS_KEPT = 8;
const ZEROS = new Uint8Array(MAX_CHUNK_BYTES);

/** Told of every block that is read, once each time; what it throws ends the reading. */
export interface BlockVisitor {
	/** Before its bytes are read. */
	block(place: BlockPlace): void;
	/** The bytes of a compressed one, before they are decoded. */
	compressed(bytes: Uint8Array, place: BlockPlace): void;
}

/** Reads contents back: holes as zeros, blocks and tails decompressed. */
export class ContentReader {
	readonly #source: ByteSource;
	readonly #decompressor: BlockDecompressor;
	readonly #alignment: Alignment;
	/** By position: neighbours in a directory share a fragment block. */
	readonly #fragments = new Recent<number, { readonly size: number; readonly content: Uint8Array }>(FRAGMENTS_KEPT);

	/** `source` is the image from its beginning on; only data must have been written. */
	constructor(source: ByteSource, decompressor: BlockDecompressor, alignment: Alignment = UNALIGNED) {
		this.#source = source;
		this.#decompressor = decompressor;
		this.#alignment = alignment;
	}

	/**
	 * The whole content in order, in chunks of at most 1 MiB, each valid until the next is asked for.
	 * Throws `Oci2isoError` CORRUPT_BLOCK or UNEXPECTED_END.
	 */
	async *read(layout: FileLayout): AsyncGenerator<Uint8Array> {
		let holeBytes = 0;
		for await (const part of this.parts(layout)) {
			const isHole = typeof part === "number";
			if (holeBytes > 0 && (!isHole || holeBytes + part > MAX_CHUNK_BYTES)) {
				yield ZEROS.subarray(0, holeBytes);
				holeBytes = 0;
			}
			if (isHole) holeBytes += part;
			else yield part;
		}
		if (holeBytes > 0) yield ZEROS.subarray(0, holeBytes);
	}

	/** As `read`, block by block: bytes, or the length of a hole. */
	async *parts(layout: FileLayout, visitor?: BlockVisitor): AsyncGenerator<Uint8Array | number> {
		const { blockBytes, byteLength, tail } = layout;
		const { alignment, padding } = this.#alignment;
		const scratch = new Scratch(blockBytes);
		let start = layout.firstBlock - (layout.firstBlock % alignment);
		let rest = byteLength;
		for await (const sizes of layout.blocks.chunks()) {
			for (const size of sizes) {
				const length = Math.min(blockBytes, rest);
				rest -= length;
				if (size === 0) {
					yield length;
					continue;
				}
				const end = start + alignUp(storedBytes(size), alignment);
				const position = padding === "before" && size < STORED_RAW ? end - storedBytes(size) : start;
				const block = await this.#readBlock({ position, size }, blockBytes, visitor, scratch);
				if (block.byteLength !== length) throw wrongLength(position, block.byteLength, length);
				yield block;
				start = end;
			}
		}
		if (rest === 0) return;
		if (tail === undefined) throw corrupt("CORRUPT_BLOCK", `the last ${rest} of ${byteLength} bytes are missing`);
		const { position, size, offset } = tail;
		const known = this.#fragments.get(position);
		const isKnown = known?.size === size;
		const content = isKnown ? known.content : await this.#readBlock({ position, size }, blockBytes, visitor);
		if (!isKnown) this.#fragments.set(position, { size, content });
		if (offset + rest > content.byteLength) throw wrongLength(position, content.byteLength, offset + rest);
		yield content.subarray(offset, offset + rest);
	}

	async #readBlock(place: BlockPlace, maxBytes: number, visitor: BlockVisitor | undefined, scratch?: Scratch) {
		const { position, size } = place;
		const length = storedBytes(size);
		if (size >= 2 * STORED_RAW || length === 0 || length > maxBytes)
			throw corrupt("CORRUPT_BLOCK", `a data block has the size field ${size}`, `offset ${position}`);
		visitor?.block(place);
		const bytes = await this.#source.read(position, length, scratch?.stored);
		if (size >= STORED_RAW) return bytes;
		visitor?.compressed(bytes, place);
		return this.#decompressor.decompress(bytes, maxBytes, scratch?.content);
	}
}

/** Memory for one block at a time, so that a large file leaves no trail of them. */
class Scratch {
	readonly #blockBytes: number;
	#stored: Uint8Array | undefined;
	#content: Uint8Array | undefined;

	constructor(blockBytes: number) {
		this.#blockBytes = blockBytes;
	}

	get stored(): Uint8Array {
		this.#stored ??= Buffer.allocUnsafeSlow(this.#blockBytes);
		return this.#stored;
	}

	get content(): Uint8Array {
		this.#content ??= Buffer.allocUnsafeSlow(this.#blockBytes);
		return this.#content;
	}
}

/** A block is not as long as its file says. */
function wrongLength(position: number, actual: number, expected: number): Oci2isoError {
	return corrupt("CORRUPT_BLOCK", `a data block has ${actual} bytes`, `offset ${position}`, `${expected} bytes`);
}
