import { createHash, type Hash } from "node:crypto";
import { MiB } from "../binary/units.ts";
import type { BlockCompressor, CompressedBlock } from "../codec/types.ts";
import { assert } from "../errors.ts";
import { BlockList, type BlockSlot } from "./block-list.ts";
import { MAX_TOTAL_BLOCKS, STORED_RAW } from "./constants.ts";
import type { FileLayout } from "./file-layout.ts";
import { FragmentPacker, type FragmentPlace } from "./fragment-packer.ts";
import { beyondLimit } from "./limits.ts";

// Invariants
// Order: blocks are stored where `#position` is when the compressor delivers them, and it delivers in submission order. So positions depend
//   on what was appended, never on which thread was quick.
// Files: no fragment block is submitted between two blocks of one file, so a file's blocks are adjacent.
// Duplicates: a file of at most `#holdBytes` waits in `#held` until its hash is known. A longer one is stored while it flows; when it turns out
//   to be a duplicate, a callback behind its last block moves `#position` back to its first, and what follows replaces it.
// Layouts: what the compressor reports is written into a `Content`, which is complete after `finish`.

/** A content that is stored once, however many files have it. */
interface Content {
	/** Absolute position; 0 until the first block is stored. */
	firstBlock: number;
	blocks: BlockList;
	fragment: FragmentPlace | undefined;
}

/** The outcome of one `endFile`. Its place in the image is known after `finishData`. */
export interface StoredFile {
	readonly byteLength: number;
	/** What the file's holes save; 0 where it was given without holes. */
	readonly sparseBytes: number;
	/** @internal */
	readonly content: Content;
}

/** What went into the data blocks; all but counts in bytes. */
export interface DataStatistics {
	readonly files: number;
	/** Of all files, holes included. */
	readonly inputBytes: number;
	/** On disk, without metadata. */
	readonly storedBytes: number;
	/** Data blocks stored, without fragment blocks and holes. */
	readonly blocks: number;
	readonly fragmentBlocks: number;
	/** Data and fragment blocks that compression would not have shrunk. */
	readonly rawBlocks: number;
	/** Not stored because the whole block is zeros. */
	readonly sparseBytes: number;
	readonly duplicateFiles: number;
	readonly duplicateBytes: number;
}

export interface DataWriterOptions {
	readonly sink: { write(position: number, bytes: Uint8Array): void };
	readonly compressor: BlockCompressor;
	readonly blockBytes: number;
	readonly fragments: "none" | "small-files" | "all-tails";
	/** Where the first block goes. */
	readonly position: number;
}

interface OpenFile {
	readonly content: Content;
	readonly hash: Hash;
	byteLength: number;
	hasHoles: boolean;
	holeBytes: number;
	/** Blocks of zeros, as pairs: number of the first, how many. */
	readonly zeroRuns: number[];
	/** Blocks are submitted as they fill, not held. */
	streaming: boolean;
}

/** A block that waits for its file's hash. */
interface HeldBlock {
	readonly block: Buffer;
	readonly byteLength: number;
	readonly slot: BlockSlot;
}

const MIN_HOLD_BYTES = MiB;
const NO_BLOCKS = new BlockList();
const ZEROS = Buffer.alloc(MiB);

/** Cuts contents into blocks, leaves out zeros and duplicates, packs tails, and places the rest in the image. */
export class DataWriter {
	readonly #options: DataWriterOptions;
	readonly #compressor: BlockCompressor;
	readonly #blockBytes: number;
	readonly #holdBytes: number;
	readonly #fragments: FragmentPacker;
	readonly #contents = new Map<string, Content>();
	#position: number;
	#highWater: number;
	#file: OpenFile | undefined;
	/** The block being filled. */
	#block: Buffer | undefined;
	#filled = 0;
	#held: HeldBlock[] = [];
	#totalBlocks = 0;
	readonly #counts = {
		files: 0,
		inputBytes: 0,
		blocks: 0,
		rawBlocks: 0,
		sparseBytes: 0,
		duplicateFiles: 0,
		duplicateBytes: 0,
	};

	constructor(options: DataWriterOptions) {
		this.#options = options;
		this.#compressor = options.compressor;
		this.#blockBytes = options.blockBytes;
		this.#holdBytes = Math.max(MIN_HOLD_BYTES, options.blockBytes);
		this.#position = options.position;
		this.#highWater = options.position;
		this.#fragments = new FragmentPacker(options.compressor, options.blockBytes, (block) => this.#store(block));
	}

	/** Where the data ends; settled after `finish`. */
	get position(): number {
		return this.#position;
	}

	/** Past the last byte ever written, also where a duplicate was taken back. */
	get highWater(): number {
		return this.#highWater;
	}

	get fragments(): FragmentPacker {
		return this.#fragments;
	}

	get statistics(): DataStatistics {
		return {
			...this.#counts,
			storedBytes: this.#position - this.#options.position,
			fragmentBlocks: this.#fragments.count,
		};
	}

	beginFile(): void {
		assert(this.#file === undefined, "a file is still open");
		this.#file = {
			content: { firstBlock: 0, blocks: new BlockList(), fragment: undefined },
			hash: createHash("sha256"),
			byteLength: 0,
			hasHoles: false,
			holeBytes: 0,
			zeroRuns: [],
			streaming: false,
		};
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

	endFile(): StoredFile {
		const file = this.#openFile();
		const hasBlocks = file.content.blocks.count > 0;
		const tail = this.#filled > 0 && this.#isFragment(hasBlocks) ? this.#block?.subarray(0, this.#filled) : undefined;
		if (tail !== undefined) file.hash.update(tail);
		else if (this.#filled > 0) this.#endBlock(file);
		this.#filled = 0;

		const key = this.#keyOf(file);
		const known = this.#contents.get(key);
		if (known === undefined) {
			this.#submitHeld(file);
			if (tail !== undefined) file.content.fragment = this.#fragments.add(tail);
			if (file.byteLength > 0) this.#contents.set(key, file.content);
			this.#counts.sparseBytes += file.holeBytes;
		} else this.#dropDuplicate(file);

		this.#counts.files++;
		this.#counts.inputBytes += file.byteLength;
		this.#file = undefined;
		return {
			byteLength: file.byteLength,
			sparseBytes: file.hasHoles ? file.holeBytes : 0,
			content: known ?? file.content,
		};
	}

	/** Resolves once everything is stored; nothing can be appended after it. */
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
		const entry = fragment && this.#fragments.entry(fragment.index);
		return {
			byteLength: file.byteLength,
			blockBytes: this.#blockBytes,
			firstBlock,
			blocks,
			tail: entry && fragment && { position: entry.position, size: entry.size, offset: fragment.offset },
		};
	}

	#openFile(): OpenFile {
		assert(this.#file !== undefined, "no file is open");
		return this.#file;
	}

	/** Like mksquashfs, by default only files below one block go into fragments. */
	#isFragment(hasBlocks: boolean): boolean {
		return this.#options.fragments === "all-tails" || (this.#options.fragments === "small-files" && !hasBlocks);
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
		this.#countBlocks(1);
		file.hash.update(block.subarray(0, length));
		this.#block = undefined;
		this.#held.push({ block, byteLength: length, slot: file.content.blocks.addBlock() });
		file.streaming ||= this.#held.length * this.#blockBytes > this.#holdBytes;
		if (file.streaming) this.#submitHeld(file);
	}

	#addZeroBlocks(file: OpenFile, blocks: number, byteLength: number): void {
		if (blocks === 0) return;
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

	/** Blocks of zeros are hashed by place, so that a hole of terabytes costs nothing and equals the same zeros given as data. */
	#keyOf(file: OpenFile): string {
		const shape = Float64Array.from(file.zeroRuns.concat(file.zeroRuns.length, file.byteLength));
		return file.hash.update(new Uint8Array(shape.buffer)).digest("binary");
	}

	#submitHeld(file: OpenFile): void {
		const { content } = file;
		for (const { block, byteLength, slot } of this.#held)
			this.#compressor.submit(block, byteLength, (result) => {
				const { position, size } = this.#store(result);
				if (content.firstBlock === 0) content.firstBlock = position;
				slot.sizes[slot.at] = size;
				this.#counts.blocks++;
			});
		this.#held = [];
		if (content.blocks.count === 0) content.blocks = NO_BLOCKS;
	}

	#dropDuplicate(file: OpenFile): void {
		this.#counts.duplicateFiles++;
		this.#counts.duplicateBytes += file.byteLength;
		for (const { block } of this.#held) this.#compressor.release(block);
		this.#held = [];
		if (file.streaming) this.#compressor.after(() => this.#takeBack(file.content));
	}

	#takeBack(content: Content): void {
		this.#position = content.firstBlock;
		for (const sizes of content.blocks.chunks())
			for (const size of sizes) {
				if (size !== 0) this.#counts.blocks--;
				if (size & STORED_RAW) this.#counts.rawBlocks--;
			}
	}

	#store({ compressed, bytes }: CompressedBlock): { position: number; size: number } {
		const position = this.#position;
		this.#options.sink.write(position, bytes);
		this.#position += bytes.byteLength;
		this.#highWater = Math.max(this.#highWater, this.#position);
		if (!compressed) this.#counts.rawBlocks++;
		return { position, size: compressed ? bytes.byteLength : bytes.byteLength | STORED_RAW };
	}
}

function isZero(block: Buffer, length: number): boolean {
	return block[0] === 0 && block.subarray(0, length).equals(ZEROS.subarray(0, length));
}
