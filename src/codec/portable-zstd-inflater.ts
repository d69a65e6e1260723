import { Decompress } from "fzstd";
import {
	brokenZstd,
	decodeZstdFrameHeader,
	MAX_WINDOW_LOG,
	windowTooLarge,
	ZSTD_SKIPPABLE_MAGIC,
} from "./zstd-frame.ts";

/** An empty skippable frame; others have 9 at least. */
const SHORTEST_FRAME_BYTES = 8;
const DESCRIPTOR_AT = 4;
const CHECKSUM_FLAG = 4;
const CHECKSUM_BYTES = 4;
const BLOCK_HEADER_BYTES = 3;

type State =
	| { readonly at: "frame header" }
	| { readonly at: "block header"; readonly hasChecksum: boolean }
	| { readonly at: "block"; readonly last: boolean; readonly hasChecksum: boolean; left: number }
	/** Skippable content, or the checksum of a frame. */
	| { readonly at: "skipped"; left: number };

/**
 * Walks the frames itself and lets fzstd decode one frame at a time, so that window, frame ends and skippable frames are in our hands.
 * The frames' own checksums are not checked: a layer's digest is.
 */
export class PortableZstdInflater {
	#state: State = { at: "frame header" };
	#held = Buffer.alloc(0);
	#frame: Decompress | undefined;
	#pieces: Uint8Array[] = [];

	get betweenFrames(): boolean {
		return (
			(this.#state.at === "frame header" && this.#held.byteLength === 0) ||
			(this.#state.at === "skipped" && this.#state.left === 0)
		);
	}

	*inflate(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
		let rest: Uint8Array = chunk;
		if (this.#held.byteLength > 0) {
			rest = Buffer.concat([this.#held, chunk]);
			this.#held = Buffer.alloc(0);
		}
		for (;;) {
			const used = this.#step(rest);
			const pieces = this.#pieces;
			this.#pieces = [];
			yield* pieces;
			if (used === undefined) break;
			rest = rest.subarray(used);
		}
		this.#held = Buffer.from(rest);
	}

	/** Bytes used, or undefined where more are needed. */
	#step(bytes: Uint8Array): number | undefined {
		const state = this.#state;
		switch (state.at) {
			case "frame header":
				return this.#frameHeader(bytes);
			case "block header":
				return this.#blockHeader(bytes, state.hasChecksum);
			case "block": {
				if (bytes.byteLength === 0 && state.left > 0) return undefined;
				const used = Math.min(state.left, bytes.byteLength);
				state.left -= used;
				this.#decode(bytes.subarray(0, used), state.last && state.left === 0);
				if (state.left === 0)
					this.#state = state.last
						? { at: "skipped", left: state.hasChecksum ? CHECKSUM_BYTES : 0 }
						: { at: "block header", hasChecksum: state.hasChecksum };
				return used;
			}
			case "skipped": {
				const used = Math.min(state.left, bytes.byteLength);
				state.left -= used;
				if (state.left === 0) this.#state = { at: "frame header" };
				else if (used === 0) return undefined;
				return used;
			}
		}
	}

	#frameHeader(bytes: Uint8Array): number | undefined {
		if (bytes.byteLength < SHORTEST_FRAME_BYTES) return undefined;
		const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
		if ((view.getUint32(0, true) & ~15) === ZSTD_SKIPPABLE_MAGIC) {
			this.#state = { at: "skipped", left: view.getUint32(4, true) };
			return 8;
		}
		const header = decodeZstdFrameHeader(bytes);
		if (header === undefined) return undefined;
		if (typeof header === "string") throw brokenZstd(header);
		if (header.dictionaryId !== 0) throw brokenZstd("it needs a dictionary");
		if (header.windowBytes > 2 ** MAX_WINDOW_LOG) throw windowTooLarge();
		this.#frame = new Decompress((piece) => {
			if (piece.byteLength > 0) this.#pieces.push(piece);
		});
		const plain = Buffer.from(bytes.subarray(0, header.byteLength));
		plain[DESCRIPTOR_AT] = (plain[DESCRIPTOR_AT] ?? 0) & ~CHECKSUM_FLAG;
		this.#decode(plain, false);
		this.#state = { at: "block header", hasChecksum: header.hasChecksum };
		return header.byteLength;
	}

	/** RFC 8878, 3.1.1.2: last block, type, size. */
	#blockHeader(bytes: Uint8Array, hasChecksum: boolean): number | undefined {
		const [low, middle, high] = bytes;
		if (low === undefined || middle === undefined || high === undefined) return undefined;
		const word = low | (middle << 8) | (high << 16);
		const type = (word >> 1) & 3;
		if (type === 3) throw brokenZstd("a block has the reserved type");
		this.#state = { at: "block", last: (word & 1) === 1, hasChecksum, left: type === 1 ? 1 : word >> 3 };
		this.#decode(bytes.subarray(0, BLOCK_HEADER_BYTES), false);
		return BLOCK_HEADER_BYTES;
	}

	#decode(bytes: Uint8Array, last: boolean): void {
		try {
			this.#frame?.push(Buffer.from(bytes), last);
		} catch (error) {
			throw brokenZstd(error instanceof Error ? error.message : String(error));
		}
	}
}
