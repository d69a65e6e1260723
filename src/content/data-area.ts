import { alignUp } from "../binary/units.ts";
import type { CompressedBlock } from "../codec/types.ts";
import type { BlockCopier } from "./block-copier.ts";
import { blockSize, STORED_RAW, storedBytes } from "./block-size.ts";
import type { Placement } from "./placement.ts";
import type { StoredBlock } from "./stored-blocks.ts";
import type { BlockPlace, DataSink } from "./stored-data.ts";

/** Where data and fragment blocks are in the image: one behind the other, in the order of the calls. */
export class DataArea {
	readonly #sink: DataSink;
	readonly #copier: BlockCopier;
	readonly #placement: Placement;
	#end: number;
	#rawBlocks = 0;

	constructor(sink: DataSink, copier: BlockCopier, placement: Placement) {
		this.#sink = sink;
		this.#copier = copier;
		this.#placement = placement;
		this.#end = placement.start;
	}

	/** Where the next block goes. */
	get end(): number {
		return this.#end;
	}

	/** With the padding. */
	get byteLength(): number {
		return this.#end - this.#placement.start;
	}

	/** How many are stored as they are. */
	get rawBlocks(): number {
		return this.#rawBlocks;
	}

	store({ compressed, bytes }: CompressedBlock): BlockPlace {
		const place = this.#next(blockSize(bytes.byteLength, compressed));
		this.#sink.write(place.position, bytes);
		return place;
	}

	/** A block of an earlier build. */
	storeEarlier(block: StoredBlock): BlockPlace {
		const place = this.#next(blockSize(block.byteLength, block.compressed));
		this.#copier.copyStored(block, place.position);
		return place;
	}

	/** A block of this image once more. */
	repeat({ position, size }: BlockPlace): BlockPlace {
		const place = this.#next(size);
		this.#copier.copyWithin(position, storedBytes(size), place.position);
		return place;
	}

	#next(size: number): BlockPlace {
		const { alignment, padding } = this.#placement;
		const isRaw = (size & STORED_RAW) !== 0;
		if (isRaw) this.#rawBlocks++;
		const start = this.#end;
		const byteLength = storedBytes(size);
		this.#end += alignUp(byteLength, alignment);
		const zeros = this.#end - start - byteLength;
		if (zeros === 0) return { position: start, size };
		const isBefore = padding === "before" && !isRaw;
		this.#sink.write(isBefore ? start : start + byteLength, Buffer.alloc(zeros));
		return { position: isBefore ? start + zeros : start, size };
	}
}
