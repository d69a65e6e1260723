import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { BuildOptions, BuildReport } from "../../src/index.ts";
import { buildIso } from "../../src/index.ts";
import { BLOCK_BYTES } from "./cache-images.ts";

export interface Built {
	/** Of the ISO, `fileDigest` unless another one was asked for. */
	readonly digest: string;
	readonly report: BuildReport;
}

/** One conversion to a file that is removed again. `cache` undefined: without one. */
export async function buildWith(
	work: string,
	image: string,
	cache: string | undefined,
	options: Partial<BuildOptions> = {},
	digestOf = fileDigest,
): Promise<Built> {
	const output = join(work, `out-${process.pid}`, "x.iso");
	mkdirSync(join(output, ".."), { recursive: true });
	try {
		const report = await buildIso({
			image,
			output,
			cache,
			comp: "lz4",
			blockSize: BLOCK_BYTES,
			tools: "builtin",
			jobs: 2,
			overwrite: true,
			force: true,
			...options,
		});
		return { digest: digestOf(output), report };
	} finally {
		rmSync(output, { force: true });
	}
}

const PIECE = Buffer.alloc(1 << 20);
const ZEROS = Buffer.alloc(1 << 20);

/** The same for the same bytes: SHA-256 of them, but that pieces of zeros, of which a small ISO is mostly made, count as one byte. */
export function fileDigest(path: string): string {
	const hash = createHash("sha256");
	const file = openSync(path, "r");
	for (let length = readSync(file, PIECE); length > 0; length = readSync(file, PIECE))
		if (length === ZEROS.byteLength && PIECE.equals(ZEROS)) hash.update("0");
		else hash.update("1").update(PIECE.subarray(0, length));
	closeSync(file);
	return hash.digest("hex");
}

/** How often each layer was read, bottom first. */
export function timesRead({ report }: Built): number[] {
	return report.layers.map((layer) => layer.timesRead);
}

export function recompressedBytes({ report }: Built): number {
	return report.layers.reduce((sum, layer) => sum + layer.recompressedBytes, 0);
}

export function reusedBytes({ report }: Built): number {
	return report.layers.reduce((sum, layer) => sum + layer.reusedBytes, 0);
}
