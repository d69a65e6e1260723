import { sorting } from "../binary/sorting.ts";
import type { Steps } from "../binary/turns.ts";
import { MiB } from "../binary/units.ts";
import type { BlockCompressor } from "../codec/types.ts";
import { assert } from "../errors.ts";
import { MAX_TOTAL_BLOCKS } from "../rootfs/squashfs/constants.ts";
import { beyondLimit } from "../rootfs/squashfs/limits.ts";
import { type BlockCopier, copierOf } from "./block-copier.ts";
import { BlockList, type BlockSlot } from "./block-list.ts";
import { BlockTable } from "./block-table.ts";
import type { ContentHasher } from "./content-hasher.ts";
import { ContentMap } from "./content-map.ts";
import { DataArea } from "./data-area.ts";
import type { FileLayout } from "./file-layout.ts";
import { blockCountOf, type FileRecipe, HASH_BYTES, type TailSource } from "./file-recipe.ts";
import { FragmentPacker, type FragmentPlace, type Tail } from "./fragment-packer.ts";
import { newFile, type OpenFile } from "./open-file.ts";
import type { StoredBlocks } from "./stored-blocks.ts";
import type {
	BlockPlace,
	Content,
	DataMark,
	DataSink,
	DataStatistics,
	PlacedBlock,
	StoredFile,
} from "./stored-data.ts";

// Invariants
// Order: blocks are stored at the end of the data area when the compressor delivers them, and it delivers in submission order. So positions depend
//   on what was appended, never on which thread was quick, nor on which blocks were compressed in an earlier build.
// Files: no fragment block is submitted between two blocks of one file, so a file's blocks are adjacent.
// Duplicates: blocks that are in the image already wait in `waiting`, by reference, until the file has a block that is not. Then the file is new, and
//   they are copied from where they are. A file without a new block waits until its identity is known.
// Hashes: the block before the one being filled may be held back, full, until both are hashed at once. Whatever places something first sees to it.
// Layouts: what the compressor reports is written into a `Content`, which is complete after `finish`.

export interface DataWriterOptions {
	readonly sink: DataSink;
	readonly compressor: BlockCompressor;
	readonly blockBytes: number;
	readonly fragments: "none" | "small-files" | "all-tails";
	/** Where the first block goes. */
	readonly position: number;
	/** Blocks that need not be compressed again. */
	readonly earlier?: StoredBlocks | undefined;
	/** Default: they are copied at once. */
	readonly copier?: BlockCopier | undefined;
	readonly hasher: ContentHasher;
}

const NO_BLOCKS = new BlockList();
const ZEROS = Buffer.alloc(MiB);

/** Cuts contents into blocks, leaves out zeros and duplicates, packs tails, and places the rest in the image. */
export class DataWriter {
	readonly #options: DataWriterOptions;
	readonly #compressor: BlockCompressor;
	readonly #area: DataArea;
	readonly #blockBytes: number;
	readonly #fragments: FragmentPacker;
	readonly #table = new BlockTable();
	readonly #contents = new ContentMap<Content>();
	#file: OpenFile | undefined;
	/** The block being filled. */
	#block: Buffer | undefined;
	#filled = 0;
	/** The full block before it, where that is not hashed yet. */
	#held: Buffer | undefined;
	#totalBlocks = 0;
	readonly #counts = {
		files: 0,
		inputBytes: 0,
		blocks: 0,
		sparseBytes: 0,
		duplicateFiles: 0,
		duplicateBytes: 0,
	};

	constructor(options: DataWriterOptions) {
		this.#options = options;
		this.#compressor = options.compressor;
		this.#area = new DataArea(options.sink, options.copier ?? copierOf(options.sink), options.position);
		this.#blockBytes = options.blockBytes;
		this.#fragments = new FragmentPacker(options.compressor, options.blockBytes, options.earlier, (block) =>
			"bytes" in block ? this.#area.store(block) : this.#area.storeEarlier(block),
		);
	}

	/** Where the data ends; settled after `finish`. */
	get position(): number {
		return this.#area.position;
	}

	get fragments(): FragmentPacker {
		return this.#fragments;
	}

	get statistics(): DataStatistics {
		return {
			...this.#counts,
			rawBlocks: this.#area.rawBlocks,
			storedBytes: this.#area.byteLength,
			fragmentBlocks: this.#fragments.count,
		};
	}

	beginFile(): void {
		assert(this.#file === undefined, "a file is still open");
		this.#file = newFile();
	}

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
	endFile(describe?: (recipe: FileRecipe, place: FragmentPlace | undefined) => void): StoredFile {
		const file = this.#openFile();
		let tail: Tail | undefined;
		if (this.#filled > 0 && this.#block !== undefined && this.#hasTail(file.byteLength)) {
			const content = this.#block.subarray(0, this.#filled);
			tail = { byteLength: content.byteLength, hash: this.#hashBehindHeld(file, content), content };
		} else if (this.#filled > 0) this.#endBlock(file);
		this.#placeHeld(file);
		this.#filled = 0;
		this.#file = undefined;
		return this.#endContent(file, this.#recipeOf(file, tail?.hash), tail, describe);
	}

	/** A whole file by reference: every block of it is in the image or among the earlier ones, and the tail where `source` says. */
	appendRecipe(
		recipe: FileRecipe,
		source: TailSource | undefined,
		describe?: (recipe: FileRecipe, place: FragmentPlace | undefined) => void,
	): StoredFile {
		assert(this.#file === undefined, "a file is still open");
		const { byteLength, hasHoles, zeroRuns, blockHashes, tailHash } = recipe;
		assert(this.#hasTail(byteLength) === (tailHash !== undefined), "the recipe is for this way of packing tails");
		const file: OpenFile = { ...newFile(), byteLength, hasHoles };
		const blockCount = blockCountOf(byteLength, this.#blockBytes, tailHash !== undefined);
		const bytesIn = (first: number, blocks: number): number =>
			Math.min(blocks * this.#blockBytes, byteLength - first * this.#blockBytes);
		let hashAt = 0;
		for (let block = 0, run = 0; block < blockCount; ) {
			const zeros = zeroRuns[run] === block ? Number(zeroRuns[run + 1]) : 0;
			if (zeros > 0) {
				this.#addZeroBlocks(file, zeros, bytesIn(block, zeros));
				block += zeros;
				run += 2;
				continue;
			}
			this.#addBlock(file, blockHashes.subarray(hashAt, hashAt + HASH_BYTES), bytesIn(block, 1), undefined);
			hashAt += HASH_BYTES;
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
		return this.#table.find(key) >= 0;
	}

	/** Ends the fragment block that is being filled: tails that follow are packed whatever came before. */
	endFragment(): void {
		this.#fragments.flush();
	}

	mark(): DataMark {
		return { blocks: this.#table.count, fragments: this.#fragments.count };
	}

	/** What was stored between two moments, in the image's order; after `finish`. A block a step. */
	*placedBlocks(from: DataMark, to: DataMark): Steps<PlacedBlock[]> {
		const placed: PlacedBlock[] = [];
		for (let id = from.blocks; id < to.blocks; id++) {
			placed.push({ kind: "block", ...this.#table.block(id) });
			yield;
		}
		for (let index = from.fragments; index < to.fragments; index++) {
			const block = this.#fragments.block(index);
			if (block !== undefined) placed.push({ kind: "fragment", ...block });
			yield;
		}
		return yield* sorting(placed, (a, b) => a.position - b.position);
	}

	/** Resolves once everything has its place; nothing can be appended after it. */
	async finish(): Promise<void> {
		assert(this.#file === undefined, "a file is still open");
		this.#fragments.flush();
		if (this.#block !== undefined) this.#compressor.release(this.#block);
		this.#block = undefined;
		this.#contents.clear();
		await this.#compressor.settle(0);
	}

	/** After `finish`. */
	layoutOf(file: StoredFile): FileLayout {
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

	#openFile(): OpenFile {
		assert(this.#file !== undefined, "no file is open");
		return this.#file;
	}

	/** Like mksquashfs, by default only files below one block go into fragments. */
	#hasTail(byteLength: number): boolean {
		const { fragments } = this.#options;
		if (byteLength % this.#blockBytes === 0 || fragments === "none") return false;
		return fragments === "all-tails" || byteLength < this.#blockBytes;
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
		if (isZero(block, length)) {
			this.#addZeroBlocks(file, 1, length);
			return;
		}
		this.#block = undefined;
		if (this.#held === undefined && length === this.#blockBytes) this.#held = block;
		else this.#placeBlock(file, this.#hashBehindHeld(file, block.subarray(0, length)), length, block);
	}

	/** The hash of a content; the block that is held goes first. */
	#hashBehindHeld(file: OpenFile, content: Uint8Array): Uint8Array {
		const { hasher } = this.#options;
		const held = this.#held;
		if (held === undefined) return hasher.one(content);
		this.#held = undefined;
		const [before, hash] = hasher.two(held, content);
		this.#placeBlock(file, before, this.#blockBytes, held);
		return hash;
	}

	#placeHeld(file: OpenFile): void {
		const held = this.#held;
		if (held === undefined) return;
		this.#held = undefined;
		this.#placeBlock(file, this.#options.hasher.one(held), this.#blockBytes, held);
	}

	/** Owns the buffer. */
	#placeBlock(file: OpenFile, key: Uint8Array, byteLength: number, block: Buffer): void {
		if (this.#addBlock(file, key, byteLength, block)) return;
		if (this.#block === undefined) this.#block = block;
		else this.#compressor.release(block);
	}

	/** True when `content` was handed to the compressor. */
	#addBlock(file: OpenFile, key: Uint8Array, byteLength: number, content: Buffer | undefined): boolean {
		this.#countBlocks(1);
		const slot = file.content.blocks.addBlock();
		const known = this.#table.find(key);
		const id = known >= 0 ? known : this.#table.add(key, byteLength);
		file.blockIds.push(id);
		if (known >= 0) {
			file.waiting.push({ id, slot });
			if (file.isNew) this.#copyWaiting(file);
			return false;
		}
		file.isNew = true;
		this.#copyWaiting(file);
		const { earlier } = this.#options;
		const isEarlier = earlier?.hasBlock(key) === true;
		const done = (place: BlockPlace): void => {
			this.#addPlace(file.content, slot, place);
			this.#table.setPlace(id, place.position, place.size, isEarlier);
		};
		if (isEarlier) {
			const copy = Uint8Array.from(key);
			this.#compressor.after(() => done(this.#area.storeEarlier(earlier.block(copy, byteLength))));
			return false;
		}
		assert(content !== undefined, "a block by reference comes out of a store");
		this.#compressor.submit(content, byteLength, (block) => done(this.#area.store(block)));
		return true;
	}

	#copyWaiting(file: OpenFile): void {
		for (const { id, slot } of file.waiting)
			this.#compressor.after(() => {
				const place = this.#area.repeat({ position: this.#table.position(id), size: this.#table.size(id) });
				this.#addPlace(file.content, slot, place);
			});
		file.waiting = [];
	}

	#addZeroBlocks(file: OpenFile, blocks: number, byteLength: number): void {
		if (blocks === 0) return;
		this.#placeHeld(file);
		this.#countBlocks(blocks);
		const runs = file.zeroRuns;
		const first = file.content.blocks.count;
		const last = runs.length - 2;
		if (last >= 0 && Number(runs[last]) + Number(runs[last + 1]) === first)
			runs[last + 1] = Number(runs[last + 1]) + blocks;
		else runs.push(first, blocks);
		file.holeBytes += byteLength;
		file.content.blocks.addHoles(blocks);
	}

	#countBlocks(blocks: number): void {
		this.#totalBlocks += blocks;
		if (this.#totalBlocks > MAX_TOTAL_BLOCKS)
			throw beyondLimit(
				"TOO_MANY_BLOCKS",
				`the image's files have more than ${MAX_TOTAL_BLOCKS} blocks of ${this.#blockBytes} bytes`,
				undefined,
				"smaller sparse files, or larger blocks",
			);
	}

	/** What the file was made of, where it was given as bytes. */
	#recipeOf({ byteLength, hasHoles, zeroRuns, blockIds }: OpenFile, tailHash: Uint8Array | undefined): FileRecipe {
		const blockHashes = Buffer.allocUnsafe(blockIds.length * HASH_BYTES);
		for (const [i, id] of blockIds.entries()) blockHashes.set(this.#table.hash(id), i * HASH_BYTES);
		return { byteLength, hasHoles, zeroRuns, blockHashes, tailHash };
	}

	#endContent(
		file: OpenFile,
		recipe: FileRecipe,
		tail: Tail | undefined,
		describe: ((recipe: FileRecipe, place: FragmentPlace | undefined) => void) | undefined,
	): StoredFile {
		const { byteLength, hasHoles } = file;
		const known = this.#contents.get(recipe);
		if (known === undefined) {
			this.#copyWaiting(file);
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
		const content = known ?? file.content;
		describe?.(recipe, content.fragment);
		return { byteLength, sparseBytes: hasHoles ? file.holeBytes : 0, content };
	}

	#addPlace(content: Content, slot: BlockSlot, { position, size }: BlockPlace): void {
		if (content.firstBlock === 0) content.firstBlock = position;
		slot.sizes[slot.at] = size;
		this.#counts.blocks++;
	}
}

function isZero(block: Buffer, length: number): boolean {
	return block[0] === 0 && block.subarray(0, length).equals(ZEROS.subarray(0, length));
}
