import type { ByteSource } from "../binary/byte-source.ts";
import { alignUp } from "../binary/units.ts";
import type { BlockDecompressor } from "../codec/types.ts";
import { corrupt, type Oci2isoError } from "../errors.ts";
import { STORED_RAW, storedBytes } from "./block-size.ts";
import { type BlockVisitor, type Contents, inChunks } from "./contents.ts";
import type { FileLayout } from "./file-layout.ts";
import { type Alignment, UNALIGNED } from "./placement.ts";
import { Recent } from "./recent.ts";
import type { BlockPlace } from "./stored-data.ts";

/** Fragment blocks that are kept for the next files. */
export const FRAGMENTS_KEPT = 8;

/** A block, a hole where `place` is absent, or a tail where there is an `offset` into the fragment block. */
interface PartPlace {
	readonly place?: BlockPlace;
	/** Of the content. */
	readonly byteLength: number;
	readonly offset?: number;
}

/** Reads contents back that are in blocks of one size, and in tails. */
export class ContentReader implements Contents {
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

	/** Throws `Oci2isoError` CORRUPT_BLOCK or UNEXPECTED_END. */
	read(layout: FileLayout): AsyncGenerator<Uint8Array> {
		return inChunks(this.parts(layout));
	}

	/** A block, a tail or the length of a hole. */
	async *parts(layout: FileLayout, visitor?: BlockVisitor): AsyncGenerator<Uint8Array | number> {
		const { blockBytes } = layout;
		const scratch = new Scratch(blockBytes);
		for await (const { place, byteLength, offset } of this.places(layout)) {
			if (place === undefined) yield byteLength;
			else if (offset === undefined) {
				const block = await this.#readBlock(place, blockBytes, visitor, scratch);
				if (block.byteLength !== byteLength) throw wrongLength(place.position, block.byteLength, byteLength);
				yield block;
			} else {
				const { position, size } = place;
				const known = this.#fragments.get(position);
				const isKnown = known?.size === size;
				const content = isKnown ? known.content : await this.#readBlock(place, blockBytes, visitor);
				if (!isKnown) this.#fragments.set(position, { size, content });
				const end = offset + byteLength;
				if (end > content.byteLength) throw wrongLength(position, content.byteLength, end);
				yield content.subarray(offset, end);
			}
		}
	}

	/** Where the parts of a content are, in order, the tail last. */
	async *places({ blockBytes, byteLength, firstBlock, blocks, tail }: FileLayout): AsyncGenerator<PartPlace> {
		const { alignment, padding } = this.#alignment;
		let start = firstBlock - (firstBlock % alignment);
		let rest = byteLength;
		for await (const sizes of blocks.chunks()) {
			for (const size of sizes) {
				const length = Math.min(blockBytes, rest);
				rest -= length;
				if (size === 0) {
					yield { byteLength: length };
					continue;
				}
				const end = start + alignUp(storedBytes(size), alignment);
				const position = padding === "before" && size < STORED_RAW ? end - storedBytes(size) : start;
				yield { place: { position, size }, byteLength: length };
				start = end;
			}
		}
		if (rest === 0) return;
		if (tail === undefined) throw corrupt("CORRUPT_BLOCK", `the last ${rest} of ${byteLength} bytes are missing`);
		const { position, size, offset } = tail;
		yield { place: { position, size }, byteLength: rest, offset };
	}

	/** Tells `visitor` of a block. Throws CORRUPT_BLOCK where its size cannot be. */
	announce(place: BlockPlace, maxBytes: number, visitor: BlockVisitor | undefined): void {
		const { position, size } = place;
		const length = storedBytes(size);
		if (size >= 2 * STORED_RAW || length === 0 || length > maxBytes)
			throw corrupt("CORRUPT_BLOCK", `a data block has the size field ${size}`, `offset ${position}`);
		visitor?.block(place);
	}

	/** The bytes of an announced block as they are stored, perhaps in `into`. */
	async stored(place: BlockPlace, visitor: BlockVisitor | undefined, into?: Uint8Array): Promise<Uint8Array> {
		const bytes = await this.#source.read(place.position, storedBytes(place.size), into);
		if (place.size < STORED_RAW) visitor?.compressed(bytes, place);
		return bytes;
	}

	async #readBlock(place: BlockPlace, maxBytes: number, visitor: BlockVisitor | undefined, scratch?: Scratch) {
		this.announce(place, maxBytes, visitor);
		const bytes = await this.stored(place, visitor, scratch?.stored);
		return place.size >= STORED_RAW ? bytes : this.#decompressor.decompress(bytes, maxBytes, scratch?.content);
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
