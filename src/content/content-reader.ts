import type { ByteSource } from "../binary/byte-source.ts";
import { MiB } from "../binary/units.ts";
import type { BlockDecompressor } from "../codec/types.ts";
import { corrupt } from "../errors.ts";
import { STORED_RAW } from "../rootfs/squashfs/constants.ts";
import type { FileLayout } from "./file-layout.ts";
import { Recent } from "./recent.ts";

const MAX_CHUNK_BYTES = MiB;
const FRAGMENTS_KEPT = 4;
const ZEROS = new Uint8Array(MAX_CHUNK_BYTES);

/** Reads contents back: holes as zeros, blocks and tails decompressed (4). */
export class ContentReader {
	readonly #source: ByteSource;
	readonly #decompressor: BlockDecompressor;
	/** By position: neighbours in a directory share a fragment block. */
	readonly #fragments = new Recent<number, Uint8Array>(FRAGMENTS_KEPT);

	/** `source` is the image from its superblock on; only data must have been written. */
	constructor(source: ByteSource, decompressor: BlockDecompressor) {
		this.#source = source;
		this.#decompressor = decompressor;
	}

	/**
	 * The whole content in order, in chunks of at most 1 MiB, each valid until the next is asked for.
	 * Throws `Oci2isoError` CORRUPT_BLOCK or UNEXPECTED_END.
	 */
	async *read(layout: FileLayout): AsyncGenerator<Uint8Array> {
		const { blockBytes, byteLength } = layout;
		const scratch = new Scratch(blockBytes);
		let position = layout.firstBlock;
		let rest = byteLength;
		let holeBytes = 0;
		for await (const sizes of layout.blocks.chunks()) {
			for (const size of sizes) {
				const length = Math.min(blockBytes, rest);
				rest -= length;
				if (size === 0) {
					if (holeBytes + length > MAX_CHUNK_BYTES) {
						yield ZEROS.subarray(0, holeBytes);
						holeBytes = 0;
					}
					holeBytes += length;
					continue;
				}
				if (holeBytes > 0) yield ZEROS.subarray(0, holeBytes);
				holeBytes = 0;
				const block = await this.#readBlock(position, size, blockBytes, scratch);
				if (block.byteLength !== length) throw wrongLength(position, block.byteLength, length);
				yield block;
				position += storedBytes(size);
			}
		}
		if (holeBytes > 0) yield ZEROS.subarray(0, holeBytes);
		if (rest > 0) yield await this.#readTail(layout, rest);
	}

	async #readTail({ tail, blockBytes, byteLength }: FileLayout, length: number): Promise<Uint8Array> {
		if (tail === undefined) throw corrupt("CORRUPT_BLOCK", `a file of ${byteLength} bytes lacks its last ${length}`);
		const known = this.#fragments.get(tail.position);
		const block = known ?? (await this.#readBlock(tail.position, tail.size, blockBytes));
		if (known === undefined) this.#fragments.set(tail.position, block);
		if (tail.offset + length > block.byteLength)
			throw wrongLength(tail.position, block.byteLength, tail.offset + length);
		return block.subarray(tail.offset, tail.offset + length);
	}

	async #readBlock(position: number, size: number, maxBytes: number, scratch?: Scratch): Promise<Uint8Array> {
		const length = storedBytes(size);
		if (size >= 2 * STORED_RAW || length === 0 || length > maxBytes)
			throw corrupt("CORRUPT_BLOCK", `a data block has the size field ${size}`, `offset ${position}`);
		const bytes = await this.#source.read(position, length, scratch?.stored);
		return size >= STORED_RAW ? bytes : this.#decompressor.decompress(bytes, maxBytes, scratch?.content);
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

function storedBytes(size: number): number {
	return size & (STORED_RAW - 1);
}

/** A block is not as long as its file says. */
export function wrongLength(position: number, actual: number, expected: number) {
	return corrupt("CORRUPT_BLOCK", `a data block has ${actual} bytes`, `offset ${position}`, `${expected} bytes`);
}
