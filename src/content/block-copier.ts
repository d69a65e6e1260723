import type { StoredBlock } from "./stored-blocks.ts";
import type { DataSink } from "./stored-data.ts";

/** Puts blocks that exist already into the image. What it was asked for may happen later, in the order of the calls. */
export interface BlockCopier {
	/** A block that was stored earlier. */
	copyStored(block: StoredBlock, position: number): void;
	/** Bytes of the image itself, which were written or copied before. */
	copyWithin(from: number, byteLength: number, position: number): void;
}

/** Copies at once. */
export function copierOf(sink: DataSink): BlockCopier {
	return {
		copyStored: (block, position) => sink.write(position, block.read()),
		copyWithin: (from, byteLength, position) => sink.write(position, sink.readNow(from, byteLength)),
	};
}
