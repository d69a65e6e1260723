import type { BlockCompressor } from "../codec/types.ts";
import { assert, Oci2isoError } from "../errors.ts";
import type { BlockSlot } from "./block-list.ts";
import { BlockTable } from "./block-table.ts";
import type { DataArea } from "./data-area.ts";
import type { OpenFile } from "./open-file.ts";
import type { Placement } from "./placement.ts";
import type { StoredBlocks } from "./stored-blocks.ts";
import type { BlockPlace, Content } from "./stored-data.ts";

/**
 * Places blocks of files in the image. Those that are in it already wait, by reference, until their file has a block that is not. Then the file is new, and they are copied from
 * where they are, so that its blocks are adjacent.
 */
export class BlockPlacer {
	/** What is in the image. */
	readonly table = new BlockTable();
	readonly #placement: Pick<Placement, "blockBytes" | "maxBlocks">;
	readonly #compressor: BlockCompressor;
	readonly #area: DataArea;
	readonly #earlier: StoredBlocks | undefined;
	/** Of all files, holes included. */
	#totalBlocks = 0;
	#count = 0;

	constructor(
		placement: Pick<Placement, "blockBytes" | "maxBlocks">,
		compressor: BlockCompressor,
		area: DataArea,
		earlier: StoredBlocks | undefined,
	) {
		this.#placement = placement;
		this.#compressor = compressor;
		this.#area = area;
		this.#earlier = earlier;
	}

	/** Blocks that have their place, copies among them. */
	get count(): number {
		return this.#count;
	}

	/**
	 * The next block of a file, known by the SHA-256 of its content; undefined `content`: it is in the image or among the earlier ones. True when `content` was handed to the
	 * compressor. Throws `Oci2isoError` TOO_MANY_BLOCKS.
	 */
	add(file: OpenFile, key: Uint8Array, byteLength: number, content: Buffer | undefined): boolean {
		this.#countBlocks(1);
		const slot = file.content.blocks.addBlock();
		const known = this.table.find(key);
		const id = known >= 0 ? known : this.table.add(key, byteLength);
		file.blockIds.push(id);
		if (known >= 0) {
			file.waiting.push({ id, slot });
			if (file.isNew) this.copyWaiting(file);
			return false;
		}
		file.isNew = true;
		this.copyWaiting(file);
		const earlier = this.#earlier;
		const isEarlier = earlier?.hasBlock(key) === true;
		const done = (place: BlockPlace): void => {
			this.#addPlace(file.content, slot, place);
			this.table.setPlace(id, place.position, place.size, isEarlier);
		};
		if (isEarlier) {
			const copy = new Uint8Array(key);
			this.#compressor.after(() => done(this.#area.storeEarlier(earlier.block(copy, byteLength))));
			return false;
		}
		assert(content !== undefined, "a block by reference comes out of a store");
		this.#compressor.submit(content, byteLength, (block) => done(this.#area.store(block)));
		return true;
	}

	/** Copies the blocks that wait to the file, which is no duplicate. */
	copyWaiting(file: OpenFile): void {
		for (const { id, slot } of file.waiting)
			this.#compressor.after(() => {
				const place = this.#area.repeat({ position: this.table.position(id), size: this.table.size(id) });
				this.#addPlace(file.content, slot, place);
			});
		file.waiting = [];
	}

	/** `blocks` of zeros, which take no room. Throws as `add`. */
	addZeros(file: OpenFile, blocks: number, byteLength: number): void {
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
		const { maxBlocks, blockBytes } = this.#placement;
		if (this.#totalBlocks > maxBlocks)
			throw new Oci2isoError({
				code: "TOO_MANY_BLOCKS",
				kind: "contract",
				what: `the image's files have more than ${maxBlocks} blocks of ${blockBytes} bytes`,
				expected: "smaller sparse files, or larger blocks",
				remedy: "change the image, or exclude the path",
			});
	}

	#addPlace(content: Content, slot: BlockSlot, { position, size }: BlockPlace): void {
		if (content.firstBlock === 0) content.firstBlock = position;
		slot.sizes[slot.at] = size;
		this.#count++;
	}
}
