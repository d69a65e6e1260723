import type { ByteSource } from "../binary/byte-source.ts";
import { DIGEST_BYTES } from "../binary/digest-numbers.ts";
import { sorting } from "../binary/sorting.ts";
import type { Steps } from "../binary/turns.ts";
import { MiB } from "../binary/units.ts";
import type { BlockCompressor, BlockDecompressor } from "../codec/types.ts";
import { assert } from "../errors.ts";
import { type BlockCopier, copierOf } from "./block-copier.ts";
import { BlockList } from "./block-list.ts";
import { BlockPlacer } from "./block-placer.ts";
import { type ContentHasher, PORTABLE_HASHER } from "./content-hasher.ts";
import { ContentMap } from "./content-map.ts";
import { ContentReader } from "./content-reader.ts";
import { DataArea } from "./data-area.ts";
import type { FileLayout } from "./file-layout.ts";
import { blockCountOf, type FileRecipe, type TailSource } from "./file-recipe.ts";
import { FragmentPacker, type FragmentPlace, type Tail } from "./fragment-packer.ts";
import { hasTail } from "./fragment-rule.ts";
import { newFile, type OpenFile, type Provenance } from "./open-file.ts";
import type { Placement } from "./placement.ts";
import type { StoredBlocks } from "./stored-blocks.ts";
import {
	Content,
	type DataMark,
	type DataSink,
	type DataStatistics,
	type ImageBlock,
	type PlacedBlock,
	type StoredFile,
} from "./stored-data.ts";

// Invariants
// Order: blocks are stored at the end of the data area when the compressor delivers them, and it delivers in submission order. So positions depend
//   on what was appended, never on which thread was quick, nor on which blocks were compressed in an earlier build.
// Files: no fragment block is submitted between two blocks of one file, so a file's blocks are adjacent.
// Duplicates: see `BlockPlacer`. A file without a new block waits until its identity is known.
// Hashes: the block before the one being filled may be held back, full, until both are hashed at once. Whatever places something first sees to it.
// Layouts: what the compressor reports is written into a `Content`, which is complete after `finish`.

export interface DataWriterOptions {
	readonly sink: DataSink;
	readonly compressor: BlockCompressor;
	/** What `settle` waits for. Default: blocks of 16 MiB in all, at least 8. */
	readonly maxPendingBlocks?: number | undefined;
	/** Blocks that need not be compressed again. They change no byte of the image. */
	readonly earlier?: StoredBlocks | undefined;
	/** Who copies blocks that exist already; `finish` does not wait for it. Default: they are copied at once. */
	readonly copier?: BlockCopier | undefined;
	/** Default: node's SHA-256. */
	readonly hasher?: ContentHasher | undefined;
}

/** Told of what a file was made of, and where its tail is if it has one. */
export type DescribeFile = (recipe: FileRecipe, tail: FragmentPlace | undefined) => void;

const NO_BLOCKS = new BlockList();
const EMPTY = new Content();
const ZEROS = Buffer.alloc(MiB);

/**
 * Cuts contents into blocks, leaves out zeros and duplicates, packs tails, and places the rest in the image, one file after the other.
 *
 * Contents are appended synchronously; await `settle` after each chunk of input and `finish` after the last file.
 * The bytes depend on the contents, their order and the placement, never on timing or threads.
 */
export class DataWriter {
	readonly #placement: Placement;
	readonly #compressor: BlockCompressor;
	readonly #hasher: ContentHasher;
	readonly #maxPendingBlocks: number;
	readonly #area: DataArea;
	readonly #blockBytes: number;
	readonly #fragments: FragmentPacker;
	readonly #blocks: BlockPlacer;
	readonly #contents = new ContentMap<Content>();
	#file: OpenFile | undefined;
	/** The block being filled. */
	#block: Buffer | undefined;
	#filled = 0;
	/** The full block before it, where that is not hashed yet. */
	#held: Buffer | undefined;
	#isFinished = false;
	readonly #counts = {
		files: 0,
		inputBytes: 0,
		sparseBytes: 0,
		duplicateFiles: 0,
		duplicateBytes: 0,
	};

	constructor(placement: Placement, options: DataWriterOptions) {
		const { sink, compressor, earlier } = options;
		this.#placement = placement;
		this.#compressor = compressor;
		this.#hasher = options.hasher ?? PORTABLE_HASHER;
		this.#blockBytes = placement.blockBytes;
		this.#maxPendingBlocks = options.maxPendingBlocks ?? Math.max(8, (16 * MiB) / this.#blockBytes);
		this.#area = new DataArea(sink, options.copier ?? copierOf(sink), placement);
		this.#blocks = new BlockPlacer(placement, compressor, this.#area, earlier);
		this.#fragments = new FragmentPacker(compressor, placement, earlier, (block) =>
			"bytes" in block ? this.#area.store(block) : this.#area.storeEarlier(block),
		);
	}

	/** Where the data ends, in bytes from the image's beginning. Only after `finish`. */
	get end(): number {
		assert(this.#isFinished, "the end of the data is known after finish");
		return this.#area.end;
	}

	get statistics(): DataStatistics {
		return {
			...this.#counts,
			blocks: this.#blocks.count,
			rawBlocks: this.#area.rawBlocks,
			storedBytes: this.#area.byteLength,
			fragmentBlocks: this.#fragments.count,
		};
	}

	/** Opens the next file; one is open at a time. `from` may know digests of its blocks. */
	beginFile(from?: Provenance): void {
		assert(this.#file === undefined, "a file is still open");
		this.#file = newFile(from);
	}

	/** Bytes of the open file; copied before it returns. */
	append(chunk: Uint8Array): void {
		const file = this.#openFile();
		file.byteLength += chunk.byteLength;
		for (let at = 0; at < chunk.byteLength; ) {
			this.#block ??= this.#compressor.acquire();
			const length = Math.min(this.#blockBytes - this.#filled, chunk.byteLength - at);
			this.#block.set(chunk.subarray(at, at + length), this.#filled);
			this.#filled += length;
			at += length;
			if (this.#filled === this.#blockBytes) this.#endBlock(file);
		}
	}

	/** `byteLength` zeros of the open file, which cost nothing where they cover whole blocks. Throws `Oci2isoError` TOO_MANY_BLOCKS. */
	appendHole(byteLength: number): void {
		const file = this.#openFile();
		assert(Number.isSafeInteger(byteLength) && byteLength >= 0, `a hole of ${byteLength} bytes`);
		if (byteLength === 0) return;
		file.hasHoles = true;
		file.byteLength += byteLength;
		let rest = byteLength;
		if (this.#filled > 0) rest -= this.#appendZeros(file, Math.min(rest, this.#blockBytes - this.#filled));
		const blocks = Math.floor(rest / this.#blockBytes);
		this.#addZeroBlocks(file, blocks, blocks * this.#blockBytes);
		rest -= blocks * this.#blockBytes;
		if (rest > 0) this.#appendZeros(file, rest);
	}

	/** `describe` is told what the file was made of. */
	endFile(describe?: DescribeFile): StoredFile {
		const file = this.#openFile();
		let tail: Tail | undefined;
		if (this.#filled > 0 && this.#block !== undefined && this.#hasTail(file.byteLength)) {
			const content = this.#block.subarray(0, this.#filled);
			const hash = this.#givenHash(file, file.cutBytes, content.byteLength) ?? this.#hashBehindHeld(file, content);
			tail = { byteLength: content.byteLength, hash, content };
		} else if (this.#filled > 0) this.#endBlock(file);
		this.#placeHeld(file);
		this.#filled = 0;
		this.#file = undefined;
		return this.#endContent(file, this.#recipeOf(file, tail?.hash), tail, describe);
	}

	/** A whole file by reference, when none is open: every block of it is in the image or among the earlier ones, and the tail where `source` says. */
	appendRecipe(recipe: FileRecipe, source: TailSource | undefined, describe?: DescribeFile): StoredFile {
		assert(this.#file === undefined, "a file is still open");
		const { byteLength, hasHoles, zeroRuns, blockHashes, tailHash } = recipe;
		assert(this.#hasTail(byteLength) === (tailHash !== undefined), "the recipe is for this way of packing tails");
		const file = newFile();
		file.byteLength = byteLength;
		file.hasHoles = hasHoles;
		const blockCount = blockCountOf(byteLength, this.#blockBytes, tailHash !== undefined);
		const bytesIn = (first: number, blocks: number): number =>
			Math.min(blocks * this.#blockBytes, byteLength - first * this.#blockBytes);
		let hashAt = 0;
		for (let block = 0, run = 0; block < blockCount; ) {
			const zeros = zeroRuns[run] === block ? Number(zeroRuns[run + 1]) : 0;
			if (zeros > 0) {
				this.#blocks.addZeros(file, zeros, bytesIn(block, zeros));
				block += zeros;
				run += 2;
				continue;
			}
			this.#blocks.add(file, blockHashes.subarray(hashAt, hashAt + DIGEST_BYTES), bytesIn(block, 1), undefined);
			hashAt += DIGEST_BYTES;
			block++;
		}
		let tail: Tail | undefined;
		if (tailHash !== undefined) {
			assert(source !== undefined, "a tail by reference comes from somewhere");
			tail = { byteLength: byteLength % this.#blockBytes, hash: tailHash, content: source };
		}
		return this.#endContent(file, recipe, tail, describe);
	}

	/** Whether a file of the recipe needs nothing that is not in the image; `settled` or not. */
	hasContent(recipe: FileRecipe): boolean {
		return this.#contents.get(recipe) !== undefined;
	}

	/** Whether a block with this content is in the image. */
	hasBlock(key: Uint8Array): boolean {
		return this.#blocks.table.find(key) >= 0;
	}

	/** Says that what follows is of another layer: its tails are packed apart. Returns the moment, for `placedBlocks`. */
	endLayer(): DataMark {
		this.#fragments.flush();
		return this.#mark();
	}

	/** The key of a fragment block that an `endLayer` has ended. */
	fragmentKey(index: number): Uint8Array {
		const block = this.#fragments.block(index);
		assert(block !== undefined, "the fragment block was ended");
		return block.key;
	}

	/** Every fragment block in order; settled after `finish`. */
	*fragments(): Generator<ImageBlock> {
		for (let index = 0; index < this.#fragments.count; index++) {
			const block = this.#fragments.block(index);
			if (block !== undefined) yield block;
		}
	}

	/** What was stored between two moments, by default until now, in the image's order; position 0 where it is not stored yet. A block a step. */
	*placedBlocks(from: DataMark, to: DataMark = this.#mark()): Steps<PlacedBlock[]> {
		const placed: PlacedBlock[] = [];
		for (let id = from.blocks; id < to.blocks; id++) {
			placed.push({ kind: "block", ...this.#blocks.table.block(id) });
			yield;
		}
		for (let index = from.fragments; index < to.fragments; index++) {
			const block = this.#fragments.block(index);
			if (block !== undefined) placed.push({ kind: "fragment", ...block });
			yield;
		}
		return yield* sorting(placed, (a, b) => a.position - b.position);
	}

	/** Resolves once no more blocks than the bound are in flight; rejects with the first failure of the codec or the sink. */
	settle(): Promise<void> {
		return this.#compressor.settle(this.#maxPendingBlocks);
	}

	/** Sends what is left to the compressor; resolves once everything has its place. A `copier` may not have copied all of it yet. */
	async finish(): Promise<void> {
		assert(this.#file === undefined, "a file is still open");
		this.#fragments.flush();
		if (this.#block !== undefined) this.#compressor.release(this.#block);
		this.#block = undefined;
		this.#contents.clear();
		await this.#compressor.settle(0);
		this.#isFinished = true;
	}

	/** Reads files back by their layouts; `image` has the sink's bytes. */
	reader(image: ByteSource, decompressor: BlockDecompressor): ContentReader {
		return new ContentReader(image, decompressor, this.#placement);
	}

	/** How to read a file back. Only after `finish`. */
	layoutOf(file: StoredFile): FileLayout {
		assert(this.#isFinished, "layouts are known after finish");
		const { firstBlock, blocks, fragment } = file.content;
		const block = fragment && this.#fragments.block(fragment.index);
		return {
			byteLength: file.byteLength,
			blockBytes: this.#blockBytes,
			firstBlock,
			blocks,
			tail: block && fragment && { position: block.position, size: block.size, offset: fragment.offset },
		};
	}

	#mark(): DataMark {
		return { blocks: this.#blocks.table.count, fragments: this.#fragments.count };
	}

	#openFile(): OpenFile {
		assert(this.#file !== undefined, "no file is open");
		return this.#file;
	}

	#hasTail(byteLength: number): boolean {
		return hasTail(this.#placement.fragmentRule, byteLength, this.#blockBytes);
	}

	#appendZeros(file: OpenFile, length: number): number {
		this.#block ??= this.#compressor.acquire();
		this.#block.fill(0, this.#filled, this.#filled + length);
		this.#filled += length;
		if (this.#filled === this.#blockBytes) this.#endBlock(file);
		return length;
	}

	#endBlock(file: OpenFile): void {
		const block = this.#block;
		assert(block !== undefined, "no block is open");
		const length = this.#filled;
		this.#filled = 0;
		const start = file.cutBytes;
		file.cutBytes += length;
		if (isZero(block, length)) {
			this.#addZeroBlocks(file, 1, length);
			return;
		}
		this.#block = undefined;
		const given = this.#givenHash(file, start, length);
		if (given !== undefined) {
			this.#placeHeld(file);
			this.#placeBlock(file, given, length, block);
		} else if (this.#held === undefined && length === this.#blockBytes) this.#held = block;
		else this.#placeBlock(file, this.#hashBehindHeld(file, block.subarray(0, length)), length, block);
	}

	/** The hash that `byteLength` of the file's bytes, from `start` on, came with. */
	#givenHash({ from, hasHoles }: OpenFile, start: number, byteLength: number): Uint8Array | undefined {
		return hasHoles ? undefined : from?.digests.take(from.offset + start, byteLength);
	}

	/** The hash of a content; the block that is held goes first. */
	#hashBehindHeld(file: OpenFile, content: Uint8Array): Uint8Array {
		const held = this.#held;
		if (held === undefined) return this.#hasher.one(content);
		this.#held = undefined;
		const [before, hash] = this.#hasher.two(held, content);
		this.#placeBlock(file, before, this.#blockBytes, held);
		return hash;
	}

	#placeHeld(file: OpenFile): void {
		const held = this.#held;
		if (held === undefined) return;
		this.#held = undefined;
		this.#placeBlock(file, this.#hasher.one(held), this.#blockBytes, held);
	}

	/** Owns the buffer. */
	#placeBlock(file: OpenFile, key: Uint8Array, byteLength: number, block: Buffer): void {
		if (this.#blocks.add(file, key, byteLength, block)) return;
		if (this.#block === undefined) this.#block = block;
		else this.#compressor.release(block);
	}

	#addZeroBlocks(file: OpenFile, blocks: number, byteLength: number): void {
		if (blocks === 0) return;
		this.#placeHeld(file);
		this.#blocks.addZeros(file, blocks, byteLength);
	}

	/** What the file was made of, where it was given as bytes. */
	#recipeOf({ byteLength, hasHoles, zeroRuns, blockIds }: OpenFile, tailHash: Uint8Array | undefined): FileRecipe {
		const blockHashes = Buffer.allocUnsafe(blockIds.length * DIGEST_BYTES);
		for (const [i, id] of blockIds.entries()) blockHashes.set(this.#blocks.table.hash(id), i * DIGEST_BYTES);
		return { byteLength, hasHoles, zeroRuns, blockHashes, tailHash };
	}

	#endContent(
		file: OpenFile,
		recipe: FileRecipe,
		tail: Tail | undefined,
		describe: DescribeFile | undefined,
	): StoredFile {
		const { byteLength, hasHoles } = file;
		const known = this.#contents.get(recipe);
		if (known === undefined) {
			this.#blocks.copyWaiting(file);
			if (file.content.blocks.count === 0) file.content.blocks = NO_BLOCKS;
			if (tail !== undefined) file.content.fragment = this.#fragments.add(tail);
			if (byteLength > 0) this.#contents.set(recipe, file.content);
			this.#counts.sparseBytes += file.holeBytes;
		} else {
			this.#counts.duplicateFiles++;
			this.#counts.duplicateBytes += byteLength;
		}
		this.#counts.files++;
		this.#counts.inputBytes += byteLength;
		const content = known ?? (byteLength === 0 ? EMPTY : file.content);
		content.byteLength = byteLength;
		describe?.(recipe, content.fragment);
		return hasHoles ? { byteLength, sparseBytes: file.holeBytes, content } : content;
	}
}

function isZero(block: Buffer, length: number): boolean {
	return block[0] === 0 && block.subarray(0, length).equals(ZEROS.subarray(0, length));
}
