import type { CompressedBlock } from "../codec/types.ts";
import { STORED_RAW } from "../rootfs/squashfs/constants.ts";
import type { BlockCopier } from "./block-copier.ts";
import type { StoredBlock } from "./stored-blocks.ts";
import type { BlockPlace, DataSink } from "./stored-data.ts";

/** Where data and fragment blocks are in the image: one behind the other, in the order of the calls. */
export class DataArea {
	readonly #sink: DataSink;
	readonly #copier: BlockCopier;
	readonly #start: number;
	#position: number;
	#rawBlocks = 0;

	/** `start` is where the first block goes. */
	constructor(sink: DataSink, copier: BlockCopier, start: number) {
		this.#sink = sink;
		this.#copier = copier;
		this.#start = start;
		this.#position = start;
	}

	/** Where the next block goes. */
	get position(): number {
		return this.#position;
	}

	get byteLength(): number {
		return this.#position - this.#start;
	}

	/** How many are stored as they are. */
	get rawBlocks(): number {
		return this.#rawBlocks;
	}

	store({ compressed, bytes }: CompressedBlock): BlockPlace {
		const place = this.#next(compressed ? bytes.byteLength : bytes.byteLength | STORED_RAW);
		this.#sink.write(place.position, bytes);
		return place;
	}

	/** A block of an earlier build. */
	storeEarlier(block: StoredBlock): BlockPlace {
		const place = this.#next(block.compressed ? block.byteLength : block.byteLength | STORED_RAW);
		this.#copier.copyStored(block, place.position);
		return place;
	}

	/** A block of this image once more. */
	repeat({ position, size }: BlockPlace): BlockPlace {
		const place = this.#next(size);
		this.#copier.copyWithin(position, size & (STORED_RAW - 1), place.position);
		return place;
	}

	#next(size: number): BlockPlace {
		const position = this.#position;
		this.#position += size & (STORED_RAW - 1);
		if ((size & STORED_RAW) !== 0) this.#rawBlocks++;
		return { position, size };
	}
}
