import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { BuildOptions, BuildReport } from "../../src/index.ts";
import { buildIso } from "../../src/index.ts";
import { BLOCK_BYTES } from "./cache-images.ts";

export interface Built {
	/** SHA-256 of the ISO. */
	readonly digest: string;
	readonly report: BuildReport;
}

/** One conversion to a file that is removed again. `cache` undefined: without one. */
export async function buildWith(
	work: string,
	image: string,
	cache: string | undefined,
	options: Partial<BuildOptions> = {},
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
		return { digest: createHash("sha256").update(readFileSync(output)).digest("hex"), report };
	} finally {
		rmSync(output, { force: true });
	}
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
