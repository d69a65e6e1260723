import type { ByteQueue } from "../../binary/byte-queue.ts";
import { decodeZstdFrameHeader } from "../../codec/zstd-frame.ts";
import { ZstdInflater } from "../../codec/zstd-inflater.ts";
import { Oci2isoError } from "../../errors.ts";
import type { Damage, Decompressed, Emit } from "./segment.ts";

const MAX_HEADER_BYTES = 18;
const BLOCK_HEADER_BYTES = 3;
const CHECKSUM_BYTES = 4;

/**
 * RFC 8878, 3.1.1: one frame, block by block, so that what comes of a damaged one does not depend on the file's chunks. A frame that the file does not
 * hold whole is void, whatever else is wrong with it: no decoder for whole frames gives anything of it.
 */
export async function unzstdFrame(input: ByteQueue, emit: Emit): Promise<Decompressed | Damage> {
	const header = decodeZstdFrameHeader((await input.fill(MAX_HEADER_BYTES)).subarray(0, MAX_HEADER_BYTES));
	if (header === undefined || typeof header === "string")
		return { damage: header ?? "it ends within its zstd header", isVoid: true };
	const frame = new Frame(input, emit);
	let isWhole = await frame.take(header.byteLength);
	for (let isLast = false; isWhole && !isLast; ) {
		const [low, middle, high] = await input.fill(BLOCK_HEADER_BYTES);
		if (low === undefined || middle === undefined || high === undefined) {
			isWhole = false;
			break;
		}
		const word = low | (middle << 8) | (high << 16);
		// Type 1 is one byte, repeated.
		isWhole = await frame.take(BLOCK_HEADER_BYTES + (((word >> 1) & 3) === 1 ? 1 : word >> 3));
		isLast = (word & 1) === 1;
	}
	if (isWhole && header.hasChecksum) isWhole = await frame.take(CHECKSUM_BYTES);
	if (!isWhole) return { damage: "it ends within a zstd frame", isVoid: true };
	return frame.finish();
}

/** Decodes until something is wrong, and only steps over the rest. */
class Frame {
	readonly #input: ByteQueue;
	readonly #emit: Emit;
	readonly #inflater = new ZstdInflater();
	#failure: { readonly error: unknown } | undefined;

	constructor(input: ByteQueue, emit: Emit) {
		this.#input = input;
		this.#emit = emit;
	}

	/** Whether there were `count` bytes. */
	async take(count: number): Promise<boolean> {
		if (this.#failure !== undefined) return (await this.#input.skip(count)) === count;
		const bytes = (await this.#input.fill(count)).subarray(0, count);
		if (bytes.byteLength < count) return false;
		this.#attempt(() => this.#inflater.push(bytes, this.#emit));
		this.#input.take(count);
		return true;
	}

	/** Throws what `emit` threw. */
	finish(): Decompressed | Damage {
		if (this.#failure === undefined) this.#attempt(() => this.#inflater.finish());
		if (this.#failure === undefined) return {};
		const { error } = this.#failure;
		if (error instanceof Oci2isoError && /ZSTD/.test(error.code)) return { damage: error.what };
		throw error;
	}

	#attempt(work: () => void): void {
		try {
			work();
		} catch (error) {
			this.#failure = { error };
		}
	}
}
