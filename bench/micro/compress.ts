import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { KiB, MiB } from "../../src/binary/units.ts";
import { createCompressor } from "../../src/codec/compressor.ts";
import type { CodecName } from "../../src/codec/types.ts";
import { Oci2isoError } from "../../src/errors.ts";
import { microInputs, report } from "./repeat.ts";

/** Blocks of a layer through each codec, on one thread and on all; ratios are of these blocks only. */
const tar = readFileSync(microInputs().tar);
const SAMPLE_BYTES = 16 * MiB;

const CASES: readonly (readonly [codec: CodecName, level: number, blockBytes: number])[] = [
	...[1, 3, 6, 9, 15].map((level) => ["zstd", level, 128 * KiB] as const),
	...[3, 6].map((level) => ["zstd", level, MiB] as const),
	...[6, 9].map((level) => ["gzip", level, 128 * KiB] as const),
	["xz", 6, 128 * KiB],
	...[0, 9].map((level) => ["lz4", level, 128 * KiB] as const),
];

/** Blocks from all over the layer. */
function sample(blockBytes: number): Buffer[] {
	const count = Math.max(1, Math.floor(Math.min(SAMPLE_BYTES, tar.byteLength) / blockBytes));
	const stride = tar.byteLength / count;
	return Array.from({ length: count }, (_, i) => {
		const start = Math.min(Math.floor(i * stride), Math.max(0, tar.byteLength - blockBytes));
		return tar.subarray(start, start + blockBytes);
	});
}

for (const [codec, level, blockBytes] of CASES) {
	const blocks = sample(blockBytes);
	const inputBytes = blocks.reduce((sum, { byteLength }) => sum + byteLength, 0);
	for (const threads of new Set([1, availableParallelism()])) {
		const compressor = await createCompressor({ codec, level, blockBytes, threads }).catch((error: unknown) => {
			if (!(error instanceof Oci2isoError)) throw error;
			process.stderr.write(`SKIPPED: ${codec} ${level}: ${error.message}\n`);
			return undefined;
		});
		if (compressor === undefined) continue;
		let outputBytes = 0;
		const work = async (): Promise<void> => {
			outputBytes = 0;
			for (const block of blocks) {
				const buffer = compressor.acquire();
				buffer.set(block);
				compressor.submit(buffer, block.byteLength, ({ bytes }) => {
					outputBytes += bytes.byteLength;
				});
				if (compressor.pending > 4 * threads) await compressor.settle(4 * threads);
			}
			await compressor.settle(0);
		};
		const name = `compress: ${codec} ${level}, ${blockBytes / KiB} KiB, ${threads} thread${threads === 1 ? "" : "s"}`;
		await report(`${name} (${compressor.encoder})`, inputBytes, work, {
			ratio: () => inputBytes / outputBytes,
		});
		await compressor.close();
	}
}
