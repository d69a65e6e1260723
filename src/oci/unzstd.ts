import { KiB, MiB } from "../binary/units.ts";
import { ZstdInflater } from "../codec/zstd-inflater.ts";
import { corrupt, Oci2isoError } from "../errors.ts";

const CHUNK_BYTES = MiB;

/**
 * Input bytes given to the inflater at once. It is synchronous, and 4 bytes of input can be a whole block of 128 KiB, so this
 * bounds what waits to be taken: 128 MiB at the worst.
 */
const SLICE_BYTES = 4 * KiB;

/**
 * Inflates zstd frames one after another, skipping skippable ones (RFC 8878 3).
 * Throws `Oci2isoError` LAYER_COMPRESSION_BROKEN (exit 5).
 */
export async function* unzstd(
	input: AsyncIterable<Uint8Array>,
	where: string,
): AsyncGenerator<Uint8Array, void, undefined> {
	const inflater = new ZstdInflater();
	const pool: Buffer[] = [];
	const full: Buffer[] = [];
	let filling = Buffer.allocUnsafe(CHUNK_BYTES);
	let filled = 0;
	const collect = (bytes: Uint8Array): void => {
		let taken = 0;
		while (taken < bytes.byteLength) {
			const piece = bytes.subarray(taken, taken + CHUNK_BYTES - filled);
			filling.set(piece, filled);
			taken += piece.byteLength;
			filled += piece.byteLength;
			if (filled < CHUNK_BYTES) continue;
			full.push(filling);
			filling = pool.pop() ?? Buffer.allocUnsafe(CHUNK_BYTES);
			filled = 0;
		}
	};
	const inflate = (step: () => void): void => {
		try {
			step();
		} catch (error) {
			const reason =
				error instanceof Oci2isoError ? error.what : error instanceof Error ? error.message : String(error);
			throw corrupt("LAYER_COMPRESSION_BROKEN", `zstd data is broken: ${reason}`, where);
		}
	};
	for await (const chunk of input) {
		for (let at = 0; at < chunk.byteLength; at += SLICE_BYTES) {
			inflate(() => inflater.push(chunk.subarray(at, at + SLICE_BYTES), collect));
			for (let buffer = full.shift(); buffer !== undefined; buffer = full.shift()) {
				yield buffer;
				if (pool.length < 2) pool.push(buffer);
			}
		}
	}
	inflate(() => inflater.finish());
	if (filled > 0) yield filling.subarray(0, filled);
}
